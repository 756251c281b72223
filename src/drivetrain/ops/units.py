"""Did the values of a column change their unit? Told from how its quantiles moved: all of them, by one known step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of these a level of a column is made."""
ENOUGH = 100
"""A level of fewer values says nothing of units."""
_FAR = 0.5  # from every level before, in interquartile ranges
_NEAR = 0.15  # to a level before in the other unit
_BETTER = 5.0  # times nearer than in the unit as it was
_HEAT = "degrees Celsius to Fahrenheit", "degrees Fahrenheit to Celsius"


@dataclass(frozen=True)
class Step:
    """From one unit to another: ``factor`` times a value and ``offset`` more; what it may be, in words."""

    factor: float
    offset: float
    words: str

    def __str__(self) -> str:
        if self.words in _HEAT:
            return self.words
        times = f"x {self.factor:.4g}" if self.factor > 1 else f"/ {1 / self.factor:.4g}"
        return f"{times} ({self.words})" if self.words else times


_FACTORS = (
    *((10.0**power, "") for power in (1, 2, 3, 6, 9)),
    (60.0, "minutes to seconds, or hours to minutes"),
    (3600.0, "hours to seconds"),
    (24.0, "days to hours"),
    (2.54, "inches to centimetres"),
    (25.4, "inches to millimetres"),
    (3.28084, "metres to feet"),
    (1.609344, "miles to kilometres"),
    (2.204623, "kilograms to pounds"),
    (28.349523, "ounces to grams"),
    (3.785412, "gallons to litres"),
)


def _steps() -> Iterator[Step]:
    for factor, words in _FACTORS:
        there, _, back = words.partition(" to ")
        yield Step(factor, 0.0, words)
        yield Step(1 / factor, 0.0, f"{back} to {there}" if back and "," not in words else "")
    yield Step(1.8, 32.0, _HEAT[0])
    yield Step(1 / 1.8, -32 / 1.8, _HEAT[1])


STEPS = tuple(_steps())


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """How far apart two levels are on average, in interquartile ranges of the second; infinite where it has none."""
    width = other[3] - other[1]
    if width <= 0:
        return 0.0 if list(one) == list(other) else float("inf")
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(other) / width


def unit_step(now: Sequence[float], before: Sequence[Sequence[float]]) -> Step | None:
    """The step by which a level looks like one before in another unit; None where it looks like one as it was.

    Levels are values at ``QUANTILES``. A column that is constant tells nothing.
    """
    usual = min((distance(now, level) for level in before), default=0.0)
    if usual < _FAR or any(level[3] <= level[1] for level in before):
        return None
    found = [(distance(now, _moved(level, step)), step) for level in before for step in STEPS]
    near, step = min(found, key=lambda pair: pair[0])
    return step if near <= _NEAR and near * _BETTER <= usual else None


def _moved(level: Sequence[float], step: Step) -> list[float]:
    return [step.factor * value + step.offset for value in level]
