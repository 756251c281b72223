"""What the loads of a source so far let expect of the next one: how many rows, and after how long.

Rows and gaps are positive and differ by factors, so everything is reckoned in logarithms. The middle is the median and
the width comes from the median absolute deviation (Hampel 1974), which a few odd loads do not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, log
from statistics import median

ENOUGH = 8
"""Fewer loads let expect nothing."""
_ENOUGH_ALIKE = 6  # loads of one weekday that speak for themselves
_NEW_LEVEL = 3  # loads in a row that agree are what is usual now
_NORMAL = 1.4826  # of the median absolute deviation: the standard deviation of a normal distribution
_WIDTHS = 5.0
_ROWS_SLACK, _GAP_SLACK = 2.0, 1.5  # a band is at least this factor wide, up and down
_SHORTEST_WAIT = timedelta(minutes=15)
_BY_WEEKDAY = timedelta(hours=12)  # loads that come more often are not told apart by weekday


@dataclass(frozen=True)
class Band:
    """Where the next value is expected: from ``low`` to ``high``, both included; ``values`` is what that rests on."""

    low: float
    high: float
    values: int

    def holds(self, value: float) -> bool:
        """Whether the value is in the band."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Moment:
    """A load: when it came, and its rows (one at least)."""

    at: datetime
    rows: int


def band(values: Sequence[float], alike: Sequence[float], slack: float) -> Band | None:
    """Where the value after these positive ones is expected; None where they are too few to say.

    ``alike`` are those of the values that were made under the same circumstances: enough of them count alone, fewer
    widen the band so far that it holds them. The newest values widen it too when they agree with each other.
    """
    if len(values) < ENOUGH:
        return None
    chosen = alike if len(alike) >= _ENOUGH_ALIKE else values
    bands = [_spread(chosen, slack)]
    bands += [_around(value, slack) for value in alike] if chosen is values else []
    newest = values[-_NEW_LEVEL:]
    level = _around(median(newest), slack)
    if all(level[0] <= value <= level[1] for value in newest):
        bands.append(level)
    return Band(min(low for low, _ in bands), max(high for _, high in bands), len(chosen))


def expected_rows(loads: Sequence[Moment], at: datetime) -> Band | None:
    """How many rows a load at that time is expected to have; ``loads`` oldest first."""
    daily = _is_slow(loads)
    alike = [float(one.rows) for one in loads if daily and one.at.weekday() == at.weekday()]
    return band([float(one.rows) for one in loads], alike, _ROWS_SLACK)


def due(loads: Sequence[Moment]) -> datetime | None:
    """Until when the next load is expected; None where the loads, oldest first, are too few to say."""
    if not loads:
        return None
    last, gaps = loads[-1].at, _gaps(loads)
    daily = _is_slow(loads)
    alike = [gap for one, gap in zip(loads, gaps, strict=False) if daily and one.at.weekday() == last.weekday()]
    found = band(gaps, alike, _GAP_SLACK)
    return None if found is None else last + max(timedelta(seconds=found.high), _SHORTEST_WAIT)


def _gaps(loads: Sequence[Moment]) -> list[float]:
    """Seconds between the loads, a thousandth at least."""
    return [max(0.001, (later.at - one.at).total_seconds()) for one, later in pairwise(loads)]


def _is_slow(loads: Sequence[Moment]) -> bool:
    gaps = _gaps(loads)
    return bool(gaps) and median(gaps) >= _BY_WEEKDAY.total_seconds()


def _spread(values: Sequence[float], slack: float) -> tuple[float, float]:
    logs = [log(value) for value in values]
    middle = median(logs)
    width = max(log(slack), _WIDTHS * _NORMAL * median(abs(one - middle) for one in logs))
    return exp(middle - width), exp(middle + width)


def _around(value: float, slack: float) -> tuple[float, float]:
    return value / slack, value * slack
