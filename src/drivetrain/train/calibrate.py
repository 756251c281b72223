"""Whether the score needs a sigmoid to be a probability, judged on out-of-fold log-odds."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from drivetrain.ops.calibration import Sigmoid, fit_sigmoid, probability
from drivetrain.ops.metrics import Labels, Numbers, case_log_loss
from drivetrain.train.folds import Plan

AS_IT_IS = Sigmoid(slope=1.0, intercept=0.0)


def calibrated(
    label: Labels, margins: Numbers, plan: Plan, mode: Literal["auto", "none", "sigmoid"]
) -> tuple[Sigmoid, str]:
    """The sigmoid for out-of-fold log-odds [repeats, n] of labels [n], and what to say of it.

    ``auto`` takes it when it lowers the log loss of folds that it was not fitted on by more than the standard error.
    """
    if mode == "none":
        return AS_IT_IS, "none: as asked"
    fitted = fit_sigmoid(np.tile(label, len(margins)), margins.ravel())
    told = f"sigmoid with slope {fitted.slope:.3f} and intercept {fitted.intercept:+.3f}"
    if mode == "sigmoid":
        return fitted, told
    before = case_log_loss(label, probability(margins[0]))
    after = case_log_loss(label, _cross_fitted(label, margins[0], plan))
    gain, noise = float((before - after).mean()), float((before - after).std()) / math.sqrt(len(label))
    change = f"out-of-fold log loss {before.mean():.5f} without, {after.mean():.5f} with it"
    return (fitted, f"{told}: {change}") if gain > noise else (AS_IT_IS, f"none: a sigmoid would not help, {change}")


def _cross_fitted(label: Labels, margins: Numbers, plan: Plan) -> Numbers:
    """Probabilities [n], each from a sigmoid that was fitted on the other folds of the first repeat."""
    found = np.empty_like(margins)
    for fold in plan.folds:
        if fold.repeat == 0:
            found[fold.held] = fit_sigmoid(label[fold.fit], margins[fold.fit]).apply(margins[fold.held])
    return found
