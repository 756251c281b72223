"""What a release says of rows, and how it is written: score and decision, and by name the outputs of its task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import CLASS, HIGH, LOW, NO_RULE, RULE, OutputField, Rule
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.saying import Saying

Matrix = NDArray[np.float64]
Value = str | float | bool | None
MOST_LISTED = 50
"""Of more classes than these neither the OpenAPI document nor the metrics make a list."""
_NO_OUTPUTS: Matrix = np.empty((0, 0))
_MEANING = {
    CLASS: "The likeliest class; `score` is its probability.",
    LOW: "The lower end of the interval around the estimate, which is `score`.",
    HIGH: "Its upper end.",
    RULE: f"The rule that decided, whatever the score; `{NO_RULE}` where the model was heard.",
}


class Reason(msgspec.Struct, frozen=True):
    """An input that moved the score: its value, the typical one, and what it adds to the log-odds of the score.

    Where the score is an estimated number, ``effect`` is what it adds to that.
    """

    field: str
    value: Value
    typical: Value
    effect: float


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the model says of one row. ``id`` names it in labels and in the lake; ``reasons`` come strongest first."""

    id: str
    score: float
    decision: bool
    reasons: tuple[Reason, ...] | msgspec.UnsetType = msgspec.UNSET


class Spoken(NamedTuple):
    """What is said of n rows: score and decision, and the outputs, float64 [n, E]; where E is 0 they have no rows."""

    scores: list[float]
    decisions: list[bool]
    outputs: Matrix


class Wording:
    """How one release speaks. ``fields`` are its outputs, ``counted`` the places of the texts that may be listed.

    ``prediction`` makes what is said of one row: of the id, score and decision, then of the outputs in their order,
    then of the reasons, if there are any.
    """

    def __init__(self, saying: Saying) -> None:
        self.saying = saying
        self.fields = saying.signature.outputs
        self.prediction_type = _prediction_type(self.fields, saying.rules) if self.fields else Prediction
        self.prediction: Callable[..., msgspec.Struct] = self.prediction_type
        self.counted = [at for at, field in enumerate(self.fields) if 0 < len(field.categories) <= MOST_LISTED]
        self._threshold = saying.rule.threshold
        self._plain = saying.signature.task is Task.YES_NO and not saying.rule.below and not saying.rules

    def say(self, answer: Matrix, rows: Matrix) -> Spoken:
        """What answers of the model, [n] or [n, K], to rows [n, F] come to."""
        if self._plain:  # lists: of the few rows that a turn has NumPy would take twice as long
            values, threshold = answer.tolist(), self._threshold
            return Spoken(values, [value >= threshold for value in values], _NO_OUTPUTS)
        said = self.saying.say(answer, rows)
        return Spoken(said.score.tolist(), said.decision.tolist(), said.outputs)

    def columns(self, outputs: Matrix) -> list[list[str] | list[float]]:
        """The outputs [n, E] as they are told: E lists, texts of classes and numbers."""
        return [_told(field, outputs[:, at]) for at, field in enumerate(self.fields)]

    def tally(self, outputs: Matrix) -> Mapping[tuple[str, str], int]:
        """How often each text of each output was said; nothing of those of which there are too many to be listed."""
        found: dict[tuple[str, str], int] = {}
        for at in self.counted:
            field = self.fields[at]
            times = np.bincount(outputs[:, at].astype(np.int64), minlength=len(field.categories)).tolist()
            found |= {(field.name, text): count for text, count in zip(field.categories, times, strict=True) if count}
        return found


class Scored(NamedTuple):
    """What ``release`` said of the rows of one request, [n] each; ``outputs`` [n, E]. It is recorded already."""

    release: str
    ids: list[str]
    scores: list[float]
    decisions: list[bool]
    wording: Wording
    outputs: Matrix

    def columns(self) -> list[list[str] | list[float]]:
        """The outputs as they are told."""
        return self.wording.columns(self.outputs)


def predictions(scored: Scored, *reasons: Iterable[tuple[Reason, ...]]) -> Iterator[msgspec.Struct]:
    """What is said of each row, with its reasons where they are given."""
    outputs = scored.columns() if scored.wording.fields else ()
    return map(scored.wording.prediction, scored.ids, scored.scores, scored.decisions, *outputs, *reasons)


def _told(field: OutputField, values: Matrix) -> list[str] | list[float]:
    if field.type is ColumnType.TEXT:
        return [field.categories[int(code)] for code in values.tolist()]
    numbers: list[float] = values.tolist()
    return numbers


def _prediction_type(fields: tuple[OutputField, ...], rules: Sequence[Rule]) -> type[msgspec.Struct]:
    """The same as ``Prediction``, with the outputs behind the decision."""
    names: list[Any] = [("id", str), ("score", float), ("decision", bool)]
    reasons = "".join(f" `{rule.name}`: {rule.because}" for rule in rules)
    meaning = {**_MEANING, RULE: _MEANING[RULE] + reasons}
    names += [(field.name, _annotation(field, meaning[field.name])) for field in fields]
    names.append(("reasons", tuple[Reason, ...] | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(
        "Prediction", names, frozen=True, omit_defaults=True, namespace={"__doc__": Prediction.__doc__}
    )


def _annotation(field: OutputField, meaning: str) -> Any:
    kind: Any = float
    if field.type is ColumnType.TEXT:
        kind = Literal[field.categories] if len(field.categories) <= MOST_LISTED else str
    return Annotated[kind, msgspec.Meta(description=meaning)]
