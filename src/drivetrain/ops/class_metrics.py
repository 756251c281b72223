"""How good the answers of a model of several classes are: accuracy, macro F1, log loss.

``truth`` is int64 [n], the index of the true class, -1 for one that the model does not know; ``answer`` is float64
[n, K], the probability of each class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput

if TYPE_CHECKING:  # see ops.metrics
    from drivetrain.core.task import Metric

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
_EPSILON = float(np.finfo(np.float64).eps)


def weigh_classes(metric: Metric, truth: Codes, answer: Numbers) -> Callable[[Numbers], float]:
    """The metric of these cases as a function of how often each counts ([n]).

    Raises InvalidInput without rows, or when an answer is not a number.
    """
    check_answers(truth, answer)
    if metric == "macro_f1":
        return _weighed_f1(truth, answer.argmax(axis=1), answer.shape[1])
    values = case_class_loss(truth, answer) if metric == "log_loss" else (answer.argmax(axis=1) == truth) * 1.0
    return lambda weights: float((weights * values).sum() / weights.sum())


def case_class_loss(truth: Codes, answer: Numbers) -> Numbers:
    """The log loss of each case, [n], in nats: an unknown class counts as one that got no probability at all."""
    likelihood = np.where(truth >= 0, answer[np.arange(len(truth)), np.maximum(truth, 0)], 0.0)
    return np.asarray(-np.log(np.clip(likelihood, _EPSILON, 1.0)))


def confusion(truth: Codes, said: Codes, classes: int, weights: Numbers | None = None) -> Numbers:
    """How many cases of each true class (row) were said to be of each class (column): [K + 1, K].

    The last row holds the cases of classes that the model does not know.
    """
    rows = np.where(truth >= 0, truth, classes)
    counts = np.bincount(rows * classes + said, weights, minlength=(classes + 1) * classes)
    return counts.reshape(classes + 1, classes).astype(np.float64)


def class_scores(table: Numbers) -> Numbers:
    """Precision, recall and F1 of each class, [K, 3], from a ``confusion``; NaN for a class that never occurs."""
    hits = np.diag(table)
    said, true = table.sum(axis=0), table[:-1].sum(axis=1)
    precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    recall = np.divide(hits, true, out=np.full_like(hits, np.nan), where=true > 0)
    f1 = np.divide(2 * hits, said + true, out=np.full_like(hits, np.nan), where=true > 0)
    return np.column_stack([precision, recall, f1])


def check_answers(truth: Codes | Numbers, answer: Numbers) -> None:
    """Raise InvalidInput unless there are rows, as many truths as answers, and only numbers."""
    if len(truth) != len(answer):
        raise InvalidInput("metric_undefined", f"{len(truth)} labels do not belong to {len(answer)} answers")
    if len(truth) == 0:
        raise InvalidInput("metric_undefined", "there are no rows to measure")
    if not np.isfinite(answer).all():
        unknown = int((~np.isfinite(answer.reshape(len(answer), -1))).any(axis=1).sum())
        raise InvalidInput("metric_undefined", f"{unknown} answers are not numbers")


def _weighed_f1(truth: Codes, said: Codes, classes: int) -> Callable[[Numbers], float]:
    """The mean of F1 over the classes that occur among the cases, each counting the same (Sokolova & Lapalme 2009)."""

    def weighed(weights: Numbers) -> float:
        scores = class_scores(confusion(truth, said, classes, weights))[:, 2]
        known = scores[~np.isnan(scores)]
        return float(known.mean()) if known.size else float("nan")

    return weighed
