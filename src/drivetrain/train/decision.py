"""The decision rule that a project asks for, its threshold found on out-of-fold answers."""

from __future__ import annotations

import sys

import numpy as np

from drivetrain.core.decision import (
    CapacityDecision,
    CostDecision,
    DecisionSpec,
    HandOverDecision,
    LimitDecision,
    RejectionDecision,
    ThresholdDecision,
)
from drivetrain.core.model import DecisionRule
from drivetrain.core.task import Task
from drivetrain.ops.decisions import capacity_threshold, cost_threshold, hand_over_threshold
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.saying import score_of
from drivetrain.ops.truth import tiled
from drivetrain.train.learner import Sample

ALWAYS = DecisionRule("none", -sys.float_info.max)
"""Every row is decided true: of classes and numbers, where nothing was asked for."""


def decision_of(spec: DecisionSpec | None, sample: Sample, answers: Numbers) -> DecisionRule:
    """The rule for out-of-fold answers [repeats, n (, K)] of a sample."""
    truth = tiled(sample.y, len(answers))
    pooled = answers.reshape(-1, *answers.shape[2:])
    score = score_of(pooled)
    match spec:
        case CostDecision():
            threshold = cost_threshold(truth.astype(np.bool_), score, spec.false_positive, spec.false_negative)
            return DecisionRule("cost", threshold, spec.false_positive, spec.false_negative)
        case CapacityDecision():
            return DecisionRule("capacity", capacity_threshold(score, spec.share), capacity=spec.share)
        case RejectionDecision():
            return DecisionRule("rejection", capacity_threshold(score, 1.0 - spec.share), capacity=spec.share)
        case HandOverDecision():
            right = pooled.argmax(axis=1) == truth
            threshold = hand_over_threshold(right, score, spec.wrong, spec.person)
            return DecisionRule("hand_over", threshold, spec.wrong, spec.person)
        case LimitDecision():
            return DecisionRule("limit", spec.value, below=spec.when == "below")
        case ThresholdDecision():
            return DecisionRule("threshold", spec.value)
        case None:
            return DecisionRule("threshold", 0.5) if sample.task is Task.YES_NO else ALWAYS
