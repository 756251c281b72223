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
from drivetrain.ops.metrics import Labels, Numbers, average_precision, case_log_loss

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


def standard_error(metric: Metric, label: Labels, score: Numbers) -> float:
    """The standard error of a metric on these cases, in closed form; each class must be there at least twice.

    ROC AUC by DeLong, DeLong & Clarke-Pearson (1988), average precision by the binomial approximation of Boyd, Eng &
    Page (2013), log loss as that of a mean.
    """
    if metric == "roc_auc":
        return _delong(label, score)
    if metric == "average_precision":
        precision = average_precision(label, score)
        return math.sqrt(precision * (1 - precision) / label.sum())
    return float(case_log_loss(label, score).std(ddof=1) / math.sqrt(len(label)))


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
