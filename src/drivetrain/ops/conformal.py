"""Intervals that hold the truth as often as they promise, from errors on rows that were not learned from.

Split-conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018), taken apart by the size of the estimate
(Mondrian, Vovk 2013): the errors of small estimates say how far small estimates are off, so an interval is as wide as
it has to be there. Between the middles of two parts the width goes over in a line.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Interval
from drivetrain.ops.metrics import Numbers

_PARTS = 10
_LEAST = 50
"""Cases in a part, or its ends are those of a few."""


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


def _quantile(values: Numbers, share: float) -> float:
    """The smallest value that so many values and one unseen do not exceed: rank ceil((n + 1) * share)."""
    rank = min(len(values), int(np.ceil((len(values) + 1) * share - 1e-9)))
    return float(np.partition(values, rank - 1)[rank - 1])
