"""How good scores are: ROC AUC, average precision, log loss, cost, and the curves behind them.

Functions take ``label`` (bool [n]) and ``score`` (float64 [n], the probability that the label is true) and raise
InvalidInput when the metric is not defined for them: no rows, scores that are not numbers, only one class. ``weigh``
and ``measure`` know every task: for classes see ``class_metrics``, for numbers ``number_metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.class_metrics import weigh_classes
from drivetrain.ops.number_metrics import weigh_numbers

if TYPE_CHECKING:  # the server explains with these, and a third of its start would be the project file's parser
    from drivetrain.core.task import Metric

Labels = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Truth = NDArray[np.bool_] | NDArray[np.int64] | NDArray[np.float64]
"""What came true of [n] cases: yes or no, the index of a class (-1 for one that the model does not know), a number."""
Weighed = Callable[[Numbers], float]
"""A metric of fixed cases as a function of how often each case counts ([n]); NaN where it is not defined."""


@dataclass(frozen=True)
class Curve:
    """Points of a curve and the threshold that makes each; three arrays of one length.

    A case counts as flagged when its score >= the threshold; an infinite threshold flags nobody.
    """

    x: Numbers
    y: Numbers
    thresholds: Numbers

    def __len__(self) -> int:
        return len(self.x)


def measure(metric: Metric, truth: Truth, answer: Numbers) -> float:
    """The metric of that name."""
    return weigh(metric, truth, answer)(np.ones(len(answer)))


def higher_is_better(metric: Metric) -> bool:
    """Whether a higher value of the metric is a better one."""
    return metric not in ("log_loss", "rmse", "mae")


def roc_auc(label: Labels, score: Numbers) -> float:
    """Area under the ROC curve: the chance that a true case scores above a false one, ties counting half."""
    return measure("roc_auc", label, score)


def average_precision(label: Labels, score: Numbers) -> float:
    """Sum over thresholds of the gain in recall times the precision there (no interpolation)."""
    return measure("average_precision", label, score)


def log_loss(label: Labels, score: Numbers) -> float:
    """Mean negative log-likelihood in nats; scores are kept off 0 and 1 by the float64 epsilon."""
    return measure("log_loss", label, score)


def costs(label: Labels, decision: Labels, false_positive: float, false_negative: float | Numbers) -> Numbers:
    """What each decision costs, [n]: a wrong one its price, which may be another for each miss; a right one nothing."""
    return np.where(decision & ~label, false_positive, 0.0) + np.where(~decision & label, false_negative, 0.0)


def hand_over_costs(right: Labels, given: Labels, wrong: float, person: float) -> Numbers:
    """What each answer costs, [n]: one that is not ``given`` a person, a given one that is not ``right`` its error."""
    return np.where(given, np.where(right, 0.0, wrong), person)


def roc_curve(label: Labels, score: Numbers) -> Curve:
    """False positive rate (x) and true positive rate (y), from nobody flagged to everybody."""
    check_cases(label, score, classes=2)
    true, false, thresholds = _flagged(label, score)
    return Curve(false / false[-1], true / true[-1], thresholds)


def precision_recall_curve(label: Labels, score: Numbers) -> Curve:
    """Recall (x) and precision (y), from nobody flagged (recall 0, precision 1 by convention) to everybody."""
    check_cases(label, score, classes=2)
    true, false, thresholds = _flagged(label, score)
    precision = np.divide(true, true + false, out=np.ones_like(true), where=true + false > 0)
    return Curve(true / true[-1], precision, thresholds)


def weigh(metric: Metric, truth: Truth, answer: Numbers) -> Weighed:
    """The metric of these cases, sorted once, for any weights of the cases: what a bootstrap calls in its loop."""
    if answer.ndim == 2:
        return weigh_classes(metric, truth.astype(np.int64), answer)
    if metric in ("rmse", "mae", "r2"):
        return weigh_numbers(metric, truth.astype(np.float64), answer)
    return _weigh_scores(metric, truth.astype(np.bool_), answer)


def _weigh_scores(metric: Metric, label: Labels, score: Numbers) -> Weighed:
    if metric == "log_loss":
        check_cases(label, score)
        return _weighed_mean(case_log_loss(label, score))
    check_cases(label, score, classes=2)
    return _weighed_rank(label, score, _area_under_roc if metric == "roc_auc" else _area_under_precision_recall)


def case_log_loss(label: Labels, score: Numbers) -> Numbers:
    """The log loss of each case, [n], in nats."""
    epsilon = np.finfo(np.float64).eps
    likelihood = np.where(label, score, 1.0 - score)
    return np.asarray(-np.log(np.clip(likelihood, epsilon, 1.0 - epsilon)))


def check_cases(label: Labels, score: Numbers, *, classes: int = 1) -> None:
    """Raise InvalidInput unless there are rows, as many labels as scores, only numbers, and enough classes."""
    if len(label) != len(score):
        raise InvalidInput("metric_undefined", f"{len(label)} labels do not belong to {len(score)} scores")
    if len(label) == 0:
        raise InvalidInput("metric_undefined", "there are no rows to measure")
    if not np.isfinite(score).all():
        raise InvalidInput("metric_undefined", f"{int((~np.isfinite(score)).sum())} scores are not numbers")
    if classes == 2 and (label.all() or not label.any()):
        raise InvalidInput("metric_undefined", f"all {len(label)} labels are {str(bool(label[0])).lower()}")


def _flagged(label: Labels, score: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """True and false cases flagged at each threshold, thresholds falling from infinity."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    true = np.cumsum(label[order], dtype=np.float64)[last]
    thresholds = np.concatenate([[np.inf], ranked[last]])
    return np.append(0.0, true), np.append(0.0, last + 1 - true), thresholds


def _weighed_mean(values: Numbers) -> Weighed:
    return lambda weights: float((weights * values).sum() / weights.sum())


def _weighed_rank(label: Labels, score: Numbers, area: Callable[[Numbers, Numbers], float]) -> Weighed:
    """``area`` of the weights of true and of false cases at each distinct score, highest score first."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) != 0))
    true = label[order].astype(np.float64)

    def weighed(weights: Numbers) -> float:
        ranked = weights[order]
        positive = ranked * true
        return area(np.add.reduceat(positive, starts), np.add.reduceat(ranked - positive, starts))

    return weighed


def _area_under_roc(true: Numbers, false: Numbers) -> float:
    pairs = true.sum() * false.sum()
    if pairs == 0:
        return float("nan")
    beaten = false.sum() - np.cumsum(false) + false / 2
    return float((true * beaten).sum() / pairs)


def _area_under_precision_recall(true: Numbers, false: Numbers) -> float:
    positives = true.sum()
    if positives == 0:
        return float("nan")
    found = np.cumsum(true)
    flagged = found + np.cumsum(false)
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return float((true * precision).sum() / positives)
