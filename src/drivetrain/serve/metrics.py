"""What a server counts. In the hot path these are plain numbers; they become Prometheus metrics when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency buckets in seconds; one more bucket has none."""


class Metrics:
    """The counts of one server process since its start. ``release`` says which release it is, in labels."""

    def __init__(self, release: Mapping[str, str]) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.decisions = [0, 0]
        self.turns = 0
        self.labels = 0
        self._release = dict(release)
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Give a number that is read when somebody asks."""
        self._gauges.append((name, meaning, read))

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count an answer; ``path`` is one of the server's own, so that there are few."""
        self.requests[path, status] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def predicted(self, rows: int, positive: int) -> None:
        """Count the predictions of one turn."""
        self.turns += 1
        self.decisions[0] += rows - positive
        self.decisions[1] += positive

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks a collector for."""
        yield InfoMetricFamily("drivetrain_release", "The release that answers.", value=self._release)
        yield self._requests()
        yield self._latency()
        decided = CounterMetricFamily("drivetrain_predictions", "Predictions by decision.", labels=["decision"])
        for name, count in zip(("false", "true"), self.decisions, strict=True):
            decided.add_metric([name], count)
        yield decided
        yield CounterMetricFamily("drivetrain_turns", "Turns of the loop that scored rows together.", value=self.turns)
        yield CounterMetricFamily("drivetrain_labels", "Outcomes that were told.", value=self.labels)
        for name, meaning, read in self._gauges:
            yield GaugeMetricFamily(name, meaning, value=read())

    def _requests(self) -> Metric:
        family = CounterMetricFamily("drivetrain_requests", "Requests answered.", labels=["path", "status"])
        for (path, status), count in sorted(self.requests.items()):
            family.add_metric([path, str(status)], count)
        return family

    def _latency(self) -> Metric:
        buckets, total = [], 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._buckets, strict=True):
            total += count
            buckets.append((bound, total))
        text = "Seconds from the head of a request to its answer."
        return HistogramMetricFamily("drivetrain_request_seconds", text, buckets=buckets, sum_value=self._seconds)
