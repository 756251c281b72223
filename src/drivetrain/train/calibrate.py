"""Whether margins need a fitted link to become probabilities, judged on out-of-fold margins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from drivetrain.core.task import Task
from drivetrain.ops.calibration import Sigmoid, fit_sigmoid
from drivetrain.ops.class_metrics import case_class_loss
from drivetrain.ops.links import Link, Softmax, fit_softmax, plain_link
from drivetrain.ops.metrics import Numbers, Truth, case_log_loss
from drivetrain.ops.truth import tiled
from drivetrain.train.folds import Plan
from drivetrain.train.learner import Sample

Mode = Literal["auto", "none", "sigmoid"]
Fit = Callable[[Truth, Numbers], Link]


def calibrated(sample: Sample, margins: Numbers, plan: Plan, mode: Mode) -> tuple[Link, str]:
    """The link for out-of-fold margins [repeats, n (, K)] of a sample, and what to say of it.

    ``auto`` takes a fitted one when it lowers the log loss of folds that it was not fitted on by more than the standard
    error. Estimates of a number stay as they are.
    """
    plain = plain_link(sample.task)
    if sample.task is Task.NUMBER:
        return plain, "none: an estimate is no probability"
    if mode == "none":
        return plain, "none: as asked"
    fitted = _fit(sample.task, tiled(sample.y, len(margins)), margins.reshape(-1, *margins.shape[2:]))
    if mode == "sigmoid":
        return fitted, _told(fitted)
    before = _losses(sample, plain.apply(margins[0]))
    after = _losses(sample, _cross_fitted(sample, margins[0], plan))
    gain, noise = float((before - after).mean()), float((before - after).std()) / math.sqrt(len(sample))
    change = f"out-of-fold log loss {before.mean():.5f} without, {after.mean():.5f} with it"
    if gain > noise:
        return fitted, f"{_told(fitted)}: {change}"
    return plain, f"none: {'a temperature' if sample.classes else 'a sigmoid'} would not help, {change}"


def _fit(task: Task, truth: Truth, margin: Numbers) -> Link:
    if task is Task.CLASSES:
        return fit_softmax(truth.astype(np.int64), margin)
    return fit_sigmoid(truth.astype(np.bool_), margin)


def _told(link: Link) -> str:
    if isinstance(link, Softmax):
        return f"softmax with temperature {1 / link.slope:.3f}"
    assert isinstance(link, Sigmoid)
    return f"sigmoid with slope {link.slope:.3f} and intercept {link.intercept:+.3f}"


def _losses(sample: Sample, answer: Numbers) -> Numbers:
    if sample.task is Task.CLASSES:
        return case_class_loss(sample.y.astype(np.int64), answer)
    return case_log_loss(sample.y.astype(np.bool_), answer)


def _cross_fitted(sample: Sample, margins: Numbers, plan: Plan) -> Numbers:
    """Answers [n (, K)], each by a link that was fitted on the other folds of the first repeat."""
    found = np.empty_like(margins)
    for fold in plan.folds:
        if fold.repeat == 0:
            link = _fit(sample.task, sample.y[fold.fit], margins[fold.fit])
            found[fold.held] = link.apply(margins[fold.held])
    return found
