"""Intervals that hold the truth as often as they promise, from errors on rows that were not learned from.

Split-conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018), taken apart by the size of the estimate
(Mondrian, Vovk 2013): the errors of small estimates say how far small estimates are off, so an interval is as wide as
it has to be there. Between the middles of two parts the width goes over in a line.

What comes is not as what was, so where rows were made at one origin after another that is asked for which held the
promise when each origin was held against those before it: more than is promised where the world moves, and less where
nothing can lie below, as of demand on a day that is mostly 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Interval
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.ops.saying import ends

Moments = NDArray[np.int64]
_PARTS = 10
_LEAST = 50
"""Cases in a part, or its ends are those of a few."""
_FIRST = 2
"""Origins that are only learned from."""
_SUREST = 0.995
_HALVINGS = 10


def fit_interval(truth: Numbers, estimate: Numbers, coverage: float) -> Interval:
    """The interval that held the share ``coverage`` of truths [n] around out-of-fold estimates [n].

    As many truths lie below as above. Raises InvalidInput when there are no rows, or values that are no numbers.
    """
    if len(truth) == 0 or not (np.isfinite(truth).all() and np.isfinite(estimate).all()):
        raise InvalidInput("metric_undefined", "an interval needs rows, all of them finite numbers")
    order = np.argsort(estimate, kind="stable")
    parts = np.array_split(order, max(1, min(_PARTS, len(order) // _LEAST)))
    errors = [truth[part] - estimate[part] for part in parts]
    low = [_quantile(-error, (1 + coverage) / 2) for error in errors]
    high = [_quantile(error, (1 + coverage) / 2) for error in errors]
    knots = np.array([float(np.median(estimate[part])) for part in parts])
    kept = np.flatnonzero(np.append(True, np.diff(knots) > 0))
    return Interval(
        coverage=coverage,
        knots=tuple(knots[kept].tolist()),
        low=tuple(-low[at] for at in kept),
        high=tuple(high[at] for at in kept),
    )


@dataclass(frozen=True)
class Rolled:
    """Rows [m] that were held against the interval of the origins before theirs: its ends [m], whether it held [m]."""

    rows: NDArray[np.intp]
    low: Numbers
    high: Numbers
    inside: Labels


def fit_rolling_interval(
    truth: Numbers, estimate: Numbers, origin: Moments, coverage: float, *, least: float | None = None
) -> Interval:
    """The interval for what comes after the newest ``origin`` [n]; see ``rolling_level``."""
    level = rolling_level(truth, estimate, origin, coverage, least=least)
    return replace(fit_interval(truth, estimate, level), coverage=coverage)


def rolling_level(
    truth: Numbers, estimate: Numbers, origin: Moments, coverage: float, *, least: float | None = None
) -> float:
    """What was to be asked for, so that intervals of the past held the share ``coverage`` of what came.

    The idea is that of adaptive conformal inference (Gibbs & Candès 2021), which moves the level by each error; here
    one level is found for all origins, ``least`` or more: by default the one whose upper end alone holds ``coverage``.
    With fewer than three origins it is ``coverage``.
    """

    def holds(level: float) -> bool:
        return bool(roll(truth, estimate, origin, level).inside.mean() >= coverage)

    if len(np.unique(origin)) <= _FIRST:
        return coverage
    low, high = 2 * coverage - 1 if least is None else least, max(coverage, _SUREST)
    if holds(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def roll(truth: Numbers, estimate: Numbers, origin: Moments, level: float) -> Rolled:
    """Each origin, but the first two, against the interval of ``level`` that those before it give."""
    low, high = np.full(len(truth), np.nan), np.full(len(truth), np.nan)
    for moment in np.unique(origin)[_FIRST:]:
        before, now = origin < moment, origin == moment
        interval = fit_interval(truth[before], estimate[before], level)
        low[now], high[now] = ends(interval, estimate[now])
    rows = np.flatnonzero(np.isfinite(low))
    low, high = low[rows], high[rows]
    return Rolled(rows, low, high, (truth[rows] >= low) & (truth[rows] <= high))


def _quantile(values: Numbers, share: float) -> float:
    """The smallest value that so many values and one unseen do not exceed: rank ceil((n + 1) * share)."""
    rank = min(len(values), int(np.ceil((len(values) + 1) * share - 1e-9)))
    return float(np.partition(values, rank - 1)[rank - 1])
