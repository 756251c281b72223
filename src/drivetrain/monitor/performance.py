"""How good the release still is, on the predictions whose labels have arrived."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.core.artifacts import Estimate, Report
from drivetrain.core.project import MonitorSpec
from drivetrain.core.task import Metric, metric_of
from drivetrain.monitor.measures import COVERAGE, measures
from drivetrain.monitor.outcomes import LabelFact, label_facts
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.metrics import higher_is_better
from drivetrain.store.models import ModelContent


@dataclass(frozen=True)
class Performance:
    """``now`` on the labelled predictions (``metric``, which is watched, first), ``before`` in the release's report.

    ``judged`` is whether the watched metric could be held against the report, ``alarm`` whether it fell; ``promised``
    is the coverage of a number's intervals, and ``uncovered`` whether they surely hold less now. ``labels`` says how
    these labels are spread; ``labelled_flagged`` and ``labelled_others`` are the shares, 0 to 1, of true and of false
    decisions in the period whose label has arrived.
    """

    metric: Metric
    rows: int
    now: tuple[Estimate, ...]
    before: tuple[Estimate, ...]
    labels: tuple[LabelFact, ...]
    promised: float | None
    judged: bool
    alarm: bool
    uncovered: bool
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

    It is an alarm when the metric is more than ``max_drop`` worse than in the report (of errors in the label's unit:
    by more than that share) and the report's value lies outside its interval now; and when intervals hold ``max_drop``
    less than they promise, by their whole interval. Fewer than ``min_rows`` labels are not judged, nor labels for which
    the metric is not defined.
    """
    metric = metric_of(spec.metric, content.signature.task)
    labelled = traffic.labelled().newest(spec.window_rows)
    now = measures(metric, content, labelled)
    before = report.metrics if report else ()
    watched, was, held = _named(now, metric), _named(before, metric), _named(now, COVERAGE)
    enough = len(labelled) >= spec.min_rows
    promised = content.interval.coverage if content.interval else None
    return Performance(
        metric=metric,
        rows=len(labelled),
        now=now,
        before=before,
        labels=label_facts(content, labelled.label),
        promised=promised,
        judged=enough and watched is not None and was is not None,
        alarm=enough and _is_worse(metric, spec.max_drop, was, watched),
        uncovered=bool(enough and held and promised and held.high < promised - spec.max_drop),
        labelled_flagged=_labelled_share(traffic, True),
        labelled_others=_labelled_share(traffic, False),
    )


def _is_worse(metric: Metric, most: float, was: Estimate | None, now: Estimate | None) -> bool:
    if was is None or now is None:
        return False
    if higher_is_better(metric):
        return was.value - now.value > most and now.high < was.value
    allowed = most if metric == "log_loss" else most * was.value
    return now.value - was.value > allowed and now.low > was.value


def _labelled_share(traffic: Traffic, decision: bool) -> float:
    chosen = traffic.part(traffic.decision == decision)
    return len(chosen.labelled()) / max(1, len(chosen))


def _named(estimates: tuple[Estimate, ...], name: str) -> Estimate | None:
    return next((estimate for estimate in estimates if estimate.name == name), None)
