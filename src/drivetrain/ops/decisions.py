"""From scores to decisions: the threshold of least cost, and the one that a capacity allows.

A decision is true when score >= threshold. Thresholds lie half way between two scores, so that a score that differs in
its last digits on another machine decides the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import DecisionRule
from drivetrain.ops.metrics import Curve, Labels, Numbers, check_cases


def miss_costs(rule: DecisionRule, names: Sequence[str], rows: Numbers) -> Numbers:
    """What it costs to miss each packed row, [n]; ``rows`` [n, F] have inputs of these names, what is unknown is free.

    A rule without costs has none: zeros.
    """
    price = rule.false_negative or 0.0
    if not rule.times:
        return np.full(len(rows), price)
    return np.nan_to_num(rows[:, list(names).index(rule.times)]) * price


def cost_threshold(label: Labels, score: Numbers, false_positive: float, false_negative: float | Numbers) -> float:
    """The threshold with the least total cost on these cases ([n] each); a miss may cost differently in each case.

    Among equally cheap ones, the one nearest to ``false_positive / (false_positive + false_negative)``, which is the
    best threshold for calibrated scores (Elkan 2001). Raises InvalidInput when there are no rows.
    """
    curve = cost_curve(label, score, false_positive, false_negative)
    cheapest = curve.thresholds[np.isclose(curve.y, curve.y.min(), rtol=1e-12, atol=0.0)]
    calibrated = false_positive / (false_positive + float(np.mean(false_negative)))
    return float(cheapest[np.abs(cheapest - calibrated).argmin()])


def cost_curve(label: Labels, score: Numbers, false_positive: float, false_negative: float | Numbers) -> Curve:
    """Mean cost of a decision (y) at each threshold (x) that decides differently, from nobody flagged to everybody.

    ``false_negative`` may have a price for each case, [n].
    """
    check_cases(label, score)
    order = np.argsort(-score, kind="stable")
    thresholds, flagged = _cuts(score[order])
    true = np.append(0.0, np.cumsum(label[order], dtype=np.float64))[flagged]
    prices = (label * false_negative)[order]
    missed = prices.sum() - np.append(0.0, np.cumsum(prices))[flagged]
    cost = ((flagged - true) * false_positive + np.maximum(missed, 0.0)) / len(label)
    return Curve(thresholds, np.asarray(cost), thresholds)


def capacity_threshold(score: Numbers, share: float) -> float:
    """The threshold that flags as many cases of ``score`` [n] as fit in ``share`` of them, and never more.

    Equal scores are flagged together or not at all. Raises InvalidInput when there are no rows.
    """
    if len(score) == 0 or not np.isfinite(score).all():
        raise InvalidInput("metric_undefined", "a threshold needs rows, all scores finite numbers")
    thresholds, flagged = _cuts(-np.sort(-score))
    capacity = math.floor(share * len(score) + 1e-9)  # 0.29 * 100 is 28.999...
    return float(thresholds[np.flatnonzero(flagged <= capacity)[-1]])


def hand_over_threshold(right: Labels, score: Numbers, wrong: float, person: float) -> float:
    """The threshold of least total cost where answers below it go to a person for ``person`` each.

    ``right`` says which answers [n] would be right; a wrong one that is given costs ``wrong``. Of equally cheap
    thresholds the one nearest to ``1 - person / wrong``, which is the best for calibrated scores (Chow 1970).
    """
    check_cases(right, score)
    order = np.argsort(-score, kind="stable")
    thresholds, given = _cuts(score[order])
    errors = np.append(0.0, np.cumsum(~right[order], dtype=np.float64))[given]
    cost = errors * wrong + (len(score) - given) * person
    cheapest = thresholds[np.isclose(cost, cost.min(), rtol=1e-12, atol=0.0)]
    return float(cheapest[np.abs(cheapest - (1.0 - person / wrong)).argmin()])


def handed_over_curve(right: Labels, score: Numbers) -> Curve:
    """The share of answers [n] that are right (y) when the share x, the least sure of them, is handed over.

    The risk-coverage curve (El-Yaniv & Wiener 2010) the other way up: from the surest answers alone given to all.
    """
    check_cases(right, score)
    order = np.argsort(-score, kind="stable")
    thresholds, every = _cuts(score[order])
    given = every[1:]
    good = np.cumsum(right[order], dtype=np.float64)[given - 1]
    return Curve(np.asarray(1.0 - given / len(score)), np.asarray(good / given), thresholds[1:])


def _cuts(falling: Numbers) -> tuple[Numbers, NDArray[np.intp]]:
    """Every threshold that decides differently on scores sorted from high to low, and how many each flags.

    The first flags nobody, the last everybody.
    """
    flagged = np.concatenate([[0], np.flatnonzero(np.diff(falling) != 0) + 1, [len(falling)]]).astype(np.intp)
    above = np.append(max(1.0, falling[0]), falling)[flagged]
    below = np.append(falling, min(0.0, falling[-1]))[flagged]
    middle = below + (above - below) / 2
    thresholds = np.where(middle > below, middle, above)
    thresholds[0] = np.maximum(thresholds[0], np.nextafter(falling[0], np.inf))
    return thresholds, flagged
