"""The metrics page: what the workers counted, in the text format of Prometheus.

Every worker keeps counts for each service. Whoever is asked adds up its own and those that the other workers, and
workers that have ended, left in their notes (see ``board``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from drivetrain.core.model import CLASS, RULE
from drivetrain.serve.counts import BOUNDS, EVENTS, Counts


@dataclass(frozen=True)
class Gauge:
    """A number as it is now, with labels."""

    name: str
    meaning: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ServiceView:
    """One service as the metrics page shows it: the counts of all workers, what serves, and gauges."""

    service: str
    release: str
    counts: Counts
    gauges: tuple[Gauge, ...] = ()


def render(views: Sequence[ServiceView]) -> bytes:
    """All metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Page(views))
    return generate_latest(registry)


class _Page:
    def __init__(self, views: Sequence[ServiceView]) -> None:
        self._views = views

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks a collector for."""
        yield self._releases()
        yield self._requests()
        yield self._latency()
        yield self._predictions()
        yield self._classes()
        yield self._rules()
        for event, meaning in EVENTS.items():
            family = CounterMetricFamily(f"drivetrain_{event}", meaning, labels=["service"])
            for view in self._views:
                family.add_metric([view.service], view.counts.events.get(event, 0))
            yield family
        yield from _gauges((view.service, gauge) for view in self._views for gauge in view.gauges)

    def _releases(self) -> Metric:
        family = InfoMetricFamily("drivetrain_release", "The release that answers.", labels=["service"])
        for view in self._views:
            family.add_metric([view.service], {"release": view.release})
        return family

    def _requests(self) -> Metric:
        family = CounterMetricFamily("drivetrain_requests", "Requests answered.", labels=["service", "path", "status"])
        for view in self._views:
            for (path, status), count in sorted(view.counts.requests.items()):
                family.add_metric([view.service, path, str(status)], count)
        return family

    def _latency(self) -> Metric:
        text = "Seconds from the head of a request to its answer."
        family = HistogramMetricFamily("drivetrain_request_seconds", text, labels=["service"])
        for view in self._views:
            buckets, total = [], 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), view.counts.buckets, strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric([view.service], buckets=buckets, sum_value=view.counts.seconds)
        return family

    def _predictions(self) -> Metric:
        labels = ["service", "release", "decision"]
        family = CounterMetricFamily("drivetrain_predictions", "Predictions by decision.", labels=labels)
        for view in self._views:
            for (release, decision), count in sorted(view.counts.predictions.items()):
                family.add_metric([view.service, release, str(decision).lower()], count)
        return family

    def _classes(self) -> Metric:
        labels = ["service", "release", CLASS]
        family = CounterMetricFamily(
            "drivetrain_classes", "Predictions by class, of models that know at most 50.", labels=labels
        )
        return self._counted(family, CLASS)

    def _rules(self) -> Metric:
        labels = ["service", "release", RULE]
        family = CounterMetricFamily(
            "drivetrain_rules", "Predictions by the rule that decided them, if one did.", labels=labels
        )
        return self._counted(family, RULE)

    def _counted(self, family: CounterMetricFamily, output: str) -> Metric:
        """The family with how often each text of an output was said."""
        for view in self._views:
            for (release, said, text), count in sorted(view.counts.texts.items()):
                if said == output:
                    family.add_metric([view.service, release, text], count)
        return family


def _gauges(found: Iterable[tuple[str, Gauge]]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for service, gauge in found:
        names = ["service", *(name for name, _ in gauge.labels)]
        family = families.setdefault(gauge.name, GaugeMetricFamily(gauge.name, gauge.meaning, labels=names))
        family.add_metric([service, *(value for _, value in gauge.labels)], gauge.value)
    yield from families.values()
