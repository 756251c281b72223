"""How the labels that arrived are spread, and how many rows are decided false: in training, and now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import Reference
from drivetrain.core.task import Task
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.drift import score_ranks
from drivetrain.ops.intervals import wilson
from drivetrain.ops.metrics import Numbers
from drivetrain.store.journal import UNKNOWN_TEXT
from drivetrain.store.models import ModelContent

_CLASSES = 10
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class LabelFact:
    """One thing to know of the labels: a share, 0 to 1, or a number; ``trained`` is that of the training rows."""

    name: str
    trained: float
    now: float


@dataclass(frozen=True)
class DecidedFalse:
    """The share of rows that are decided false: of classes those that go to a person. ``trained`` is out of fold."""

    trained: float
    now: Estimate


def label_facts(content: ModelContent, label: Numbers) -> tuple[LabelFact, ...]:
    """How labels [n] are spread: the share of true ones, of each of the commonest classes, or mean and quantiles."""
    if len(label) == 0:
        return ()
    signature, reference = content.signature, content.reference
    if signature.task is Task.CLASSES:
        return _class_shares(signature.classes, reference, label)
    if signature.task is Task.NUMBER:
        return _quantiles(reference, label)
    return (LabelFact("true", reference.label_mean, float(label.mean())),)


def decided_false(content: ModelContent, traffic: Traffic) -> DecidedFalse | None:
    """How many of these rows are decided false; None where nothing is decided, or there are none."""
    rule = content.decision
    if rule.kind == "none" or len(traffic) == 0:
        return None
    knots, ranks = score_ranks(content.reference.score, content.signature.task)
    below = float(np.interp(rule.threshold, knots, ranks))
    now = wilson("decided false", int((~traffic.decision).sum()), len(traffic))
    return DecidedFalse(1.0 - below if rule.below else below, now)


def _class_shares(classes: tuple[str, ...], reference: Reference, label: Numbers) -> tuple[LabelFact, ...]:
    """The commonest classes of both sides, furthest changed first, and what the model does not know."""
    trained = np.array(reference.label.counts[1:]) / max(1, sum(reference.label.counts))
    now = np.bincount(label.astype(np.int64) + 1, minlength=len(classes) + 1) / len(label)
    common = np.argsort(-np.maximum(trained, now[1:]), kind="stable")[:_CLASSES]
    shown = sorted(common.tolist(), key=lambda at: -abs(now[at + 1] - trained[at]))
    facts = (LabelFact(classes[at], float(trained[at]), float(now[at + 1])) for at in shown)
    return (*facts, LabelFact(UNKNOWN_TEXT, 0.0, float(now[0])))


def _quantiles(reference: Reference, label: Numbers) -> tuple[LabelFact, ...]:
    knots, ranks = score_ranks(reference.label, Task.NUMBER)
    trained = np.interp(_QUANTILES, ranks, knots)
    now = np.quantile(label, _QUANTILES)
    pairs = zip(_QUANTILES, trained.tolist(), now.tolist(), strict=True)
    return (
        LabelFact("mean", reference.label_mean, float(label.mean())),
        *(LabelFact(f"{share:.0%} quantile", before, after) for share, before, after in pairs),
    )
