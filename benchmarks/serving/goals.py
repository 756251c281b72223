"""The ratios that are promised, and whether this run kept them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serving.contestants import DRIVETRAIN, LIMIT
from serving.measure import Measured
from serving.wrk import Load, middle

_PEERS = {
    "mlflow": 250.0,
    "bentoml": 200.0,
    "fastapi + pandas + sklearn": 100.0,
    "fastapi + onnxruntime": 6.0,
    "mlflow.onnx": 20.0,
    LIMIT: 0.70,
    "granian, a constant": 0.70,  # the HTTP server that ours took the place of, see docs/decisions/0012
}
_SINGLE = 2.0
_BATCHES = 0.80
_START_S = 1.5


@dataclass(frozen=True)
class Goal:
    """A value and what it should be; without a value it was not measured."""

    name: str
    value: float | None
    sense: Literal["at least", "at most"]
    goal: float

    @property
    def met(self) -> bool | None:
        """None when it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.goal if self.sense == "at least" else self.value <= self.goal


def goals(measured: Mapping[str, Measured], in_process: float, connections: int) -> list[Goal]:
    """Everything promised, measured or not."""
    ours = _load(measured, DRIVETRAIN, connections)
    found = []
    for name, goal in _PEERS.items():
        peer = _load(measured, name, connections)
        ratio = ours.rate / peer.rate if ours and peer else None
        found.append(Goal(f"requests/s, times those of {name}", ratio, "at least", goal))
    single, limit = _load(measured, DRIVETRAIN, 1), _load(measured, LIMIT, 1)
    ratio = single.p50 / limit.p50 if single and limit else None
    found.append(Goal(f"p50 at 1 connection, times that of {LIMIT}", ratio, "at most", _SINGLE))
    ours_measured = measured.get(DRIVETRAIN, Measured())
    for kind, rows in (("JSON", ours_measured.json_rows), ("Arrow IPC", ours_measured.arrow_rows)):
        share = statistics.median(rows) / in_process if rows else None
        found.append(Goal(f"rows/s in {kind} batches, times onnxruntime in process", share, "at least", _BATCHES))
    started = statistics.median(ours_measured.started) if ours_measured.started else None
    return [*found, Goal("seconds from start to the first good answer", started, "at most", _START_S)]


def _load(measured: Mapping[str, Measured], name: str, connections: int) -> Load | None:
    found = measured.get(name, Measured()).loads.get(connections)
    return middle(found) if found else None
