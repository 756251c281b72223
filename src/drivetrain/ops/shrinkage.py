"""Many measured groups at once: how sure each measurement is, and what is left of it after chance has had its share.

Of a thousand groups the one that looks worst is mostly the unluckiest. Empirical Bayes (Efron & Morris 1975) pulls
every group toward the mean of all, the more so the less sure it is; what still stands out does not need a correction
for having looked a thousand times (Gelman, Hill & Yajima 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from drivetrain.core.task import Metric
from drivetrain.ops.class_metrics import Codes, case_class_loss, class_scores, confusion
from drivetrain.ops.metrics import Labels, Numbers, Truth, average_precision, case_log_loss

_LEAST_ERROR = 1e-6


@dataclass(frozen=True)
class Shrunk:
    """Each group's value after shrinking, [k], and its standard error, [k]."""

    values: Numbers
    errors: Numbers


def shrink(values: Numbers, errors: Numbers) -> Shrunk:
    """Pull ``values`` [k] with standard errors ``errors`` [k] toward their mean.

    The variance between groups is estimated by the method of moments (DerSimonian & Laird 1986). Where chance explains
    everything, every group gets the mean.
    """
    chance = np.square(np.maximum(errors, _LEAST_ERROR))
    weights = 1 / chance
    middle = (weights * values).sum() / weights.sum()
    excess = (weights * np.square(values - middle)).sum() - (len(values) - 1)
    scale = weights.sum() - np.square(weights).sum() / weights.sum()
    between = max(0.0, float(excess / scale)) if len(values) > 1 else 0.0
    precision = 1 / (chance + between)
    center = (precision * values).sum() / precision.sum()
    trust = between * precision
    variance = trust * chance + np.square(1 - trust) / precision.sum()
    return Shrunk(np.asarray(center + trust * (values - center)), np.asarray(np.sqrt(variance)))


def standard_error(metric: Metric, truth: Truth, answer: Numbers) -> float:
    """The standard error of a metric on these cases, in closed form; of yes or no, each must be there at least twice.

    ROC AUC by DeLong, DeLong & Clarke-Pearson (1988), average precision by the binomial approximation of Boyd, Eng &
    Page (2013), accuracy with two more hits and misses (Agresti & Coull 1998), log loss and MAE as that of a mean,
    RMSE, R2 and macro F1 (Takahashi et al. 2022) by the delta method (van der Vaart 1998, chapter 3).
    """
    if metric == "roc_auc":
        return _delong(truth.astype(np.bool_), answer)
    if metric == "average_precision":
        precision = average_precision(truth.astype(np.bool_), answer)
        return math.sqrt(precision * (1 - precision) / truth.sum())
    hits = 0 if answer.ndim == 1 else int((answer.argmax(axis=1) == truth).sum())
    if metric == "accuracy" or (metric == "macro_f1" and hits == len(truth)):
        rate = (hits + 2) / (len(truth) + 4)  # a slice without a mistake is not sure beyond doubt
        return math.sqrt(rate * (1 - rate) / (len(truth) + 4))
    return float(_influence(metric, truth, answer).std(ddof=1) / math.sqrt(len(truth)))


def _influence(metric: Metric, truth: Truth, answer: Numbers) -> Numbers:
    """How much each case moves the metric, [n]: its standard deviation by the root of n is the standard error."""
    if metric == "macro_f1":
        return _influence_on_f1(truth.astype(np.int64), answer.argmax(axis=1), answer.shape[1])
    if metric == "log_loss" and answer.ndim == 2:
        return case_class_loss(truth.astype(np.int64), answer)
    if metric == "log_loss":
        return case_log_loss(truth.astype(np.bool_), answer)
    squares = np.square(truth - answer)
    if metric == "mae":
        return np.sqrt(squares)
    if metric == "rmse":
        return squares / max(2 * math.sqrt(squares.mean()), _LEAST_ERROR)
    distances = np.square(truth - truth.mean())
    return np.asarray((squares - squares.mean() / distances.mean() * distances) / distances.mean())


def _influence_on_f1(truth: Codes, said: Codes, classes: int) -> Numbers:
    """Of F1 = 2 hits / (said + true), the mean over the classes that occur; the last place is for unknown ones."""
    table = confusion(truth, said, classes)
    scores = class_scores(table)[:, 2]
    counted = ~np.isnan(scores)
    size = (table.sum(axis=0) + table[:-1].sum(axis=1)) / len(truth)
    per = np.append(np.divide(1.0, size, out=np.zeros_like(size), where=counted), 0.0)
    drawn = np.append(np.where(counted, scores, 0.0), 0.0) * per
    return np.asarray((2 * (truth == said) * per[truth] - drawn[truth] - drawn[said]) / counted.sum())


def _delong(label: Labels, score: Numbers) -> float:
    """From each case's own share of well ordered pairs, by ranks (Sun & Xu 2014)."""
    true, false = int(label.sum()), int((~label).sum())
    ranks = _middle_ranks(score)
    beaten = (ranks[label] - _middle_ranks(score[label])) / false
    beating = 1 - (ranks[~label] - _middle_ranks(score[~label])) / true
    return math.sqrt(beaten.var(ddof=1) / true + beating.var(ddof=1) / false)


def _middle_ranks(values: Numbers) -> Numbers:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
