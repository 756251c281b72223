"""How good estimates of a number are: RMSE, MAE, R2, and what lies in their intervals.

``truth`` and ``answer`` are float64 [n], in the unit of the label.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.class_metrics import check_answers

if TYPE_CHECKING:  # see ops.metrics
    from drivetrain.core.task import Metric

Numbers = NDArray[np.float64]


def weigh_numbers(metric: Metric, truth: Numbers, answer: Numbers) -> Callable[[Numbers], float]:
    """The metric of these cases as a function of how often each counts ([n]).

    ``r2`` is 1 - (squared errors) / (squared distances from the mean), NaN where all truths are the same. Raises
    InvalidInput without rows, or when an answer is not a number.
    """
    check_answers(truth, answer)
    errors = truth - answer
    if metric == "mae":
        return lambda weights: float((weights * np.abs(errors)).sum() / weights.sum())
    squares = np.square(errors)
    if metric == "rmse":
        return lambda weights: math.sqrt(float((weights * squares).sum() / weights.sum()))
    return lambda weights: _explained(weights, truth, squares)


def covered(truth: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Which truths lie in their interval, ends included: 1 or 0, [n]."""
    return ((truth >= low) & (truth <= high)).astype(np.float64)


def _explained(weights: Numbers, truth: Numbers, squares: Numbers) -> float:
    mean = (weights * truth).sum() / weights.sum()
    whole = float((weights * np.square(truth - mean)).sum())
    return 1.0 - float((weights * squares).sum()) / whole if whole > 0 else float("nan")
