"""The decision rule that a project asks for, its threshold found on out-of-fold answers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

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
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import DecisionRule
from drivetrain.core.task import Task
from drivetrain.ops.decisions import capacity_threshold, cost_threshold, hand_over_threshold, miss_costs
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.saying import score_of
from drivetrain.ops.truth import tiled
from drivetrain.train.learner import Sample

ALWAYS = DecisionRule("none", -sys.float_info.max)
"""Every row is decided true: of classes and numbers, where nothing was asked for."""


def decision_of(spec: DecisionSpec | None, sample: Sample, answers: Numbers, names: Sequence[str] = ()) -> DecisionRule:
    """The rule for out-of-fold answers [repeats, n (, K)] of a sample, whose columns have these ``names``.

    Raises InvalidInput when a cost depends on a column that is none of them.
    """
    truth = tiled(sample.y, len(answers))
    pooled = answers.reshape(-1, *answers.shape[2:])
    score = score_of(pooled)
    match spec:
        case CostDecision():
            rule = _priced(spec, names)
            missed = np.tile(miss_costs(rule, names, sample.x), len(answers))
            threshold = cost_threshold(truth.astype(np.bool_), score, spec.false_positive, missed)
            most = capacity_threshold(score, spec.capacity) if spec.capacity else threshold
            return replace(rule, threshold=max(threshold, most))
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


def _priced(spec: CostDecision, names: Sequence[str]) -> DecisionRule:
    """The rule with its prices, and no threshold yet."""
    if spec.times is not None and spec.times not in names:
        raise InvalidInput(
            "decision_column",
            f"there is no input {spec.times!r} that a miss could cost",
            where="model.decision.times",
            hint=f"inputs: {examples(names, 20)}",
        )
    return DecisionRule(
        "cost", 1.0, spec.false_positive, spec.false_negative, capacity=spec.capacity, times=spec.times or ""
    )
