"""``report.json`` of a drift report: everything that was found, and the settings it was judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from drivetrain.core.digest import canonical_json
from drivetrain.core.refs import Ref
from drivetrain.core.task import Metric
from drivetrain.monitor.columns import Comparison
from drivetrain.monitor.outcomes import DecidedFalse
from drivetrain.monitor.performance import Performance
from drivetrain.monitor.timeline import Stretch

Verdict = Literal["steady", "drifted", "too_few_rows"]


@dataclass(frozen=True)
class Limits:
    """What an alarm was measured against."""

    max_psi: float
    alpha: float
    window_rows: int
    min_rows: int
    metric: Metric
    max_drop: float
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """The same predictions and labels make the same findings, to the byte: no clock, no chance.

    ``served`` predictions were looked back on; the verdict is about the newest ``rows`` of them, made from ``start`` to
    ``end`` (ISO 8601, UTC; empty without predictions).
    """

    service: str
    deployment: Ref
    release: Ref
    model: Ref
    served: int
    rows: int
    start: str
    end: str
    limits: Limits
    verdict: Verdict
    recommendation: str
    columns: tuple[Comparison, ...]
    decided_false: DecidedFalse | None
    performance: Performance
    timeline: tuple[Stretch, ...]

    @property
    def alarms(self) -> tuple[Comparison, ...]:
        """The columns that are alarms, the furthest moved first."""
        found = (comparison for comparison in self.columns if comparison.drift.alarm)
        return tuple(sorted(found, key=lambda comparison: -comparison.drift.psi))

    def to_json(self) -> bytes:
        """The bytes of ``report.json``."""
        return msgspec.json.format(canonical_json(self), indent=1) + b"\n"
