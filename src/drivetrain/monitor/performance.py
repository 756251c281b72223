"""How good the release still is, on the predictions whose labels have arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivetrain.core.artifacts import Estimate, Report
from drivetrain.core.model import DecisionRule
from drivetrain.core.project import MonitorSpec
from drivetrain.core.task import METRICS, Metric, Task, metric_of
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.decisions import miss_costs
from drivetrain.ops.intervals import bootstrap, bootstrap_mean
from drivetrain.ops.metrics import Numbers, costs, higher_is_better
from drivetrain.store.models import ModelContent

LABEL_RATE = "label_rate"


@dataclass(frozen=True)
class Performance:
    """``now`` on the labelled predictions (``metric``, which is watched, first), ``before`` in the release's report.

    ``judged`` is whether the watched metric could be held against the report; ``trained_rate`` is the share of true
    labels in training; ``labelled_flagged`` and ``labelled_others`` are the shares, 0 to 1, of true and of false
    decisions in the period whose label has arrived.
    """

    metric: Metric
    rows: int
    now: tuple[Estimate, ...]
    before: tuple[Estimate, ...]
    trained_rate: float
    judged: bool
    alarm: bool
    labelled_flagged: float
    labelled_others: float

    def was(self, name: str) -> Estimate | None:
        """What the release's report says of that metric."""
        return _named(self.before, name)

    def estimate(self, name: str) -> Estimate | None:
        """What that metric is now."""
        return _named(self.now, name)


def measure_performance(
    spec: MonitorSpec, content: ModelContent, report: Report | None, traffic: Traffic
) -> Performance:
    """Measure the newest ``window_rows`` labelled predictions; labels come late, so these may be older than the rest.

    It is an alarm when the metric is more than ``max_drop`` worse than in the report and the report's value lies
    outside its interval now. Fewer than ``min_rows`` labels, or labels of one class, are not judged.
    """
    metric = metric_of(spec.metric, content.signature.task)
    labelled = traffic.labelled().newest(spec.window_rows)
    missed = miss_costs(content.decision, content.signature.names, labelled.inputs)
    now = tuple(_estimates(metric, content.decision, labelled, missed))
    before = report.metrics if report else ()
    watched, was = _named(now, metric), _named(before, metric)
    judged = watched is not None and was is not None and len(labelled) >= spec.min_rows
    return Performance(
        metric=metric,
        rows=len(labelled),
        now=now,
        before=before,
        trained_rate=content.reference.label_mean,
        judged=judged,
        alarm=judged and _is_worse(metric, spec.max_drop, was, watched),
        labelled_flagged=_labelled_share(traffic, True),
        labelled_others=_labelled_share(traffic, False),
    )


def _estimates(first: Metric, decision: DecisionRule, labelled: Traffic, missed: Numbers) -> Iterator[Estimate]:
    if len(labelled) == 0:
        return
    label = labelled.label == 1
    both = bool(label.any() and not label.all())
    for metric in sorted(METRICS[Task.YES_NO], key=lambda name: name != first):
        if both or metric == "log_loss":
            yield bootstrap(metric, label, labelled.score)
    if decision.false_positive is not None and decision.false_negative is not None:
        prices = costs(label, labelled.decision, decision.false_positive, missed)
        yield bootstrap_mean("cost", prices)
    yield bootstrap_mean(LABEL_RATE, labelled.label)


def _is_worse(metric: Metric, most: float, was: Estimate | None, now: Estimate | None) -> bool:
    if was is None or now is None:
        return False
    if higher_is_better(metric):
        return was.value - now.value > most and now.high < was.value
    return now.value - was.value > most and now.low > was.value


def _labelled_share(traffic: Traffic, decision: bool) -> float:
    chosen = traffic.part(traffic.decision == decision)
    return len(chosen.labelled()) / max(1, len(chosen))


def _named(estimates: tuple[Estimate, ...], name: str) -> Estimate | None:
    return next((estimate for estimate in estimates if estimate.name == name), None)
