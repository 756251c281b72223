"""How a model does that saw no label: what it flags in which stretch; and, where labels are known, what it finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.intervals import wilson
from drivetrain.store.pages import Chart, Guide, Line
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding
from drivetrain.validate.yes_no_performance import decisions_table, precision_recall_chart, roc_chart

_STRETCHES = 50


def blind_headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """The share that is flagged, and where labels of both classes are known how well scores rank them."""
    flagged = wilson("flagged", int(evidence.decision.sum()), len(evidence.decision))
    if not _tell_apart(evidence):
        return (flagged,)
    metrics = evidence.labelled.metrics
    return (metrics["roc_auc"], metrics["average_precision"], flagged)


def blind_performance(evidence: Evidence) -> Finding:
    """The charts, and the table of decisions where labels are known."""
    charts, known = [_over_time(evidence)], evidence.labelled
    if not _tell_apart(evidence):
        return Finding((), (), tuple(charts))
    return Finding((), (decisions_table(known),), (*charts, roc_chart(known), precision_recall_chart(known)))


def _tell_apart(evidence: Evidence) -> bool:
    return len(np.unique(evidence.labelled.test.label)) == 2


def _over_time(evidence: Evidence) -> Chart:
    """The share that is flagged in each stretch."""
    parts = np.array_split(evidence.decision, min(_STRETCHES, len(evidence.decision)))
    shares = [float(part.mean()) for part in parts]
    guides = tuple(_promised(evidence))
    line = Line("flagged", [float(number + 1) for number in range(len(parts))], shares)
    note = f"{len(parts)} stretches of the test rows, in their order."
    return Chart("Flagged in each stretch", (line,), "stretch", "share flagged", note, guides)


def _promised(evidence: Evidence) -> Iterator[Guide]:
    share = evidence.content.decision.capacity
    if share:
        yield Guide("y", share, "can be looked at")
