"""Whether a score of 0.3 means that three in ten are true, and the sigmoid that mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.metrics import Labels, Numbers, check_cases

_ROUNDS = 100
_CLOSE = 1e-10


@dataclass(frozen=True)
class Sigmoid:
    """``probability = 1 / (1 + exp(-(slope * logit + intercept)))``; slope 1 and intercept 0 change nothing."""

    slope: float
    intercept: float

    def apply(self, logit: Numbers) -> Numbers:
        """Log-odds [n] to calibrated probabilities [n]."""
        return probability(self.slope * logit + self.intercept)


@dataclass(frozen=True)
class ReliabilityBin:
    """Cases of similar score, from ``low`` to ``high`` (both occur): what was promised and what came true."""

    low: float
    high: float
    mean_score: float
    rate: float
    rows: int


def probability(logit: Numbers) -> Numbers:
    """Log-odds [n] to probabilities [n], without overflow."""
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0, small) / (1.0 + small)


def log_odds(score: Numbers) -> Numbers:
    """Probabilities [n] to log-odds [n]; probabilities of 0 and 1 are kept off the ends by the float64 epsilon."""
    epsilon = np.finfo(np.float64).eps
    kept = np.clip(score, epsilon, 1.0 - epsilon)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def fit_sigmoid(label: Labels, logit: Numbers) -> Sigmoid:
    """The sigmoid of greatest likelihood (Platt 1999) for log-odds [n], with his smoothed targets.

    A true case counts as (t+1)/(t+2) and a false one as 1/(f+2), where t and f count them, so that separable data have
    a finite fit. Newton's method with halved steps (Lin, Lin & Weng 2007). Raises InvalidInput when only one class is
    there.
    """
    check_cases(label, logit, classes=2)
    true = int(label.sum())
    target = np.where(label, (true + 1) / (true + 2), 1 / (len(label) - true + 2))
    design = np.column_stack([logit, np.ones_like(logit)])
    found = np.array([0.0, np.log((true + 1) / (len(label) - true + 1))])
    for _ in range(_ROUNDS):
        step = _newton_step(design, target, found)
        found = found + _halved(design, target, found, step)
        if np.abs(step).max() < _CLOSE:
            break
    return Sigmoid(float(found[0]), float(found[1]))


def reliability(label: Labels, score: Numbers, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Up to ``bins`` bins of (nearly) equal count by rising score; equal scores always share a bin."""
    check_cases(label, score)
    members = _equal_counts(score, bins)
    return tuple(
        ReliabilityBin(
            low=float(score[chosen].min()),
            high=float(score[chosen].max()),
            mean_score=float(score[chosen].mean()),
            rate=float(label[chosen].mean()),
            rows=int(chosen.sum()),
        )
        for chosen in (members == number for number in np.unique(members))
    )


def _equal_counts(score: Numbers, bins: int) -> NDArray[np.intp]:
    """The bin of each case: that of the middle rank of its score."""
    _, value, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.asarray((middle * bins / len(score)).astype(np.intp)[value])


def _newton_step(design: Numbers, target: Numbers, found: Numbers) -> Numbers:
    fitted = probability(design @ found)
    gradient = design.T @ (target - fitted)
    curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design
    return np.asarray(np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient))


def _halved(design: Numbers, target: Numbers, found: Numbers, step: Numbers) -> Numbers:
    """The step, halved until it does not make the loss worse; nothing once it is lost in rounding."""
    before = _loss(design @ found, target)
    for power in range(40):
        shorter = step * 0.5**power
        if _loss(design @ (found + shorter), target) <= before:
            return shorter
    return np.zeros_like(step)


def _loss(logit: Numbers, target: Numbers) -> float:
    return float((np.logaddexp(0.0, logit) - target * logit).sum())
