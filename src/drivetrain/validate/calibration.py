"""The gate of calibration: a score of 0.3 should come true three times in ten.

Of classes the score is the probability of the likeliest, and comes true when that one is right (top-label calibration,
Guo et al. 2017).
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.calibration import ReliabilityBin, reliability
from drivetrain.ops.intervals import bootstrap_weighed
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.store.pages import Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge


def calibration(evidence: Evidence) -> Finding:
    """The expected calibration error of the scores: ten bins of equal count, with the bins of the table kept fixed."""
    bins = reliability(evidence.came_true, evidence.score)
    measured = calibration_error(evidence.came_true, evidence.score, bins)
    worst = max(bins, key=lambda part: abs(part.mean_score - part.rate))
    detail = f"furthest off: promised {worst.mean_score:.3f}, came true {worst.rate:.3f}, in {worst.rows:,} cases"
    rows = tuple((part.low, part.high, part.mean_score, part.rate, part.rows) for part in bins)
    table = Table("What was promised and what came true", ("score from", "to", "promised", "came true", "cases"), rows)
    return Finding((judge("calibration", measured, asked(evidence.spec.calibration), detail),), (table,))


def calibration_error(label: Labels, score: Numbers, bins: tuple[ReliabilityBin, ...]) -> Estimate:
    """The expected calibration error (Naeini et al. 2015) over ``bins`` and its interval; rounds keep the bins."""
    member = np.searchsorted(np.array([part.low for part in bins]), score, side="right") - 1
    surprise = label - score

    def error(weights: Numbers) -> float:
        return float(np.abs(np.bincount(member, weights * surprise)).sum() / weights.sum())

    return bootstrap_weighed("calibration error", error, len(label))
