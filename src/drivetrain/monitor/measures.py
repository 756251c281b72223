"""What labelled predictions of each task are measured by: what was said then, against what came true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.task import METRICS, Metric, Task
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.decisions import miss_costs
from drivetrain.ops.intervals import bootstrap, bootstrap_mean
from drivetrain.ops.metrics import Numbers, Truth, costs, hand_over_costs
from drivetrain.store.models import ModelContent, open_scorer

LABEL_RATE, LABEL_MEAN, COVERAGE = "label_rate", "label_mean", "coverage"


def measures(first: Metric, content: ModelContent, labelled: Traffic) -> tuple[Estimate, ...]:
    """The metrics of the task on labelled predictions, ``first`` before the others, and what else labels tell.

    Of yes or no: cost and the rate of true labels; of classes: cost; of numbers: how many the intervals held, and the
    mean. A metric that is not defined for these labels is left out.
    """
    if len(labelled) == 0:
        return ()
    found = tuple(_MEASURES[content.signature.task](content, labelled))
    return tuple(sorted(found, key=lambda estimate: estimate.name != first))


def _yes_no(content: ModelContent, labelled: Traffic) -> Iterator[Estimate]:
    label = labelled.label == 1
    both = bool(label.any() and not label.all())
    for metric in METRICS[Task.YES_NO]:
        if both or metric == "log_loss":
            yield bootstrap(metric, label, labelled.score)
    rule = content.decision
    if rule.false_positive is not None and rule.false_negative is not None:
        missed = miss_costs(rule, content.signature.names, labelled.inputs)
        yield bootstrap_mean("cost", costs(label, labelled.decision, rule.false_positive, missed))
    yield bootstrap_mean(LABEL_RATE, labelled.label)


def _classes(content: ModelContent, labelled: Traffic) -> Iterator[Estimate]:
    truth = labelled.label.astype(np.int64)
    said = labelled.outputs[:, 0]
    known = np.isfinite(said)  # a class that was said is always one of the model's, or another wrote this table
    if known.any():
        answer = np.eye(len(content.signature.classes))[said[known].astype(np.int64)]
        yield bootstrap("accuracy", truth[known], answer)
        yield from _defined("macro_f1", truth[known], answer)
        yield bootstrap("log_loss", truth[known], _asked_again(content, labelled.inputs[known]))
    rule = content.decision
    if rule.false_positive is not None and rule.false_negative is not None:
        prices = hand_over_costs(truth == said, labelled.decision, rule.false_positive, rule.false_negative)
        yield bootstrap_mean("cost", prices)


def _numbers(content: ModelContent, labelled: Traffic) -> Iterator[Estimate]:
    truth = labelled.label
    for metric in METRICS[Task.NUMBER]:
        yield from _defined(metric, truth, labelled.score)
    low, high = labelled.outputs[:, :2].T
    yield bootstrap_mean(COVERAGE, ((truth >= low) & (truth <= high)).astype(np.float64))
    yield bootstrap_mean(LABEL_MEAN, truth)


_MEASURES = {Task.YES_NO: _yes_no, Task.CLASSES: _classes, Task.NUMBER: _numbers}


def _defined(metric: Metric, truth: Truth, answer: Numbers) -> Iterator[Estimate]:
    estimate = bootstrap(metric, truth, answer)
    if np.isfinite(estimate.value):
        yield estimate


def _asked_again(content: ModelContent, inputs: Numbers) -> Numbers:
    """The probability of each class [n, K]: only that of the class that was said is recorded."""
    with closing(open_scorer(content)) as model:
        return model.score(inputs)
