"""The part of a drift page that labels tell: how good the release is, and how the outcomes are spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivetrain.core.artifacts import Estimate
from drivetrain.core.task import Task
from drivetrain.monitor.findings import Findings
from drivetrain.store.pages import Block, Table, Text, show_number

_WHICH = {Task.YES_NO: " of both classes", Task.CLASSES: "", Task.NUMBER: " that differ"}


def label_blocks(findings: Findings, task: Task) -> Iterator[Block]:
    """Performance against the report, and the spread of the labels against training."""
    performance = findings.performance
    yield Text("Performance", tuple(_coverage(findings, task)))
    if performance.now:
        yield Table(
            "On labelled predictions",
            ("metric", "in the release's report", "its 95 % interval", "now", "its 95 % interval"),
            tuple((now.name, *_number(performance.was(now.name)), *_number(now)) for now in performance.now),
            note="" if performance.promised is None else f"Intervals promise to hold {performance.promised:.0%}.",
        )
    if performance.labels:
        share = task is not Task.NUMBER
        yield Table(
            "Outcomes, in training and now",
            ("class" if task is Task.CLASSES else "what", "in training", "now"),
            tuple(
                (fact.name, _shown(fact.trained, share=share), _shown(fact.now, share=share))
                for fact in performance.labels
            ),
            note="Shares of the outcomes." if share else "In the unit of the label.",
        )


def _coverage(findings: Findings, task: Task) -> Iterator[str]:
    performance, limits = findings.performance, findings.limits
    if performance.rows == 0:
        yield "No labels have arrived; POST /v1/labels takes outcomes by prediction id."
        return
    yield f"{performance.rows:,} labelled predictions."
    if findings.decided_false is not None:
        yield (
            f"A label has arrived for {performance.labelled_flagged:.0%} of the true decisions and for "
            f"{performance.labelled_others:.0%} of the false ones; where these differ much, the numbers speak for the "
            "labelled cases only."
        )
    if not performance.judged:
        yield (
            f"Not judged: {limits.metric} needs {limits.min_rows:,} labels{_WHICH[task]}, and a value in the release's "
            "report to be held against."
        )


def _number(estimate: Estimate | None) -> Sequence[str]:
    if estimate is None:
        return ("", "")
    return (f"{estimate.value:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}")


def _shown(value: float, *, share: bool) -> str:
    return f"{value:.2%}" if share else show_number(value)
