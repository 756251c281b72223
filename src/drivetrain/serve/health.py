"""Whether the server answers, which service does, and what is wrong with those that do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.ops.canary import Standing
from drivetrain.serve.answers import JSON, json
from drivetrain.serve.service import Service

LIVE_PATHS = ("/health/live", "/v2/health/live")
READY_PATHS = ("/health", "/health/ready", "/v2/health", "/v2/health/ready")


class ServiceHealth(msgspec.Struct, frozen=True):
    """One service. ``reason`` says why it is quarantined, or why a newer deployment is not taken up."""

    service: str
    state: Literal["ready", "quarantined"]
    release: str
    deployment: int
    reason: str


class Health(msgspec.Struct, frozen=True):
    """``ready`` when every service answers, ``degraded`` when some do, ``quarantined`` when none does."""

    status: Literal["ready", "degraded", "quarantined"]
    live: bool
    ready: bool
    services: list[ServiceHealth]


class HealthPage:
    """The endpoint. ``asks_ready``: not a single service that answers is a 503."""

    def __init__(self, services: Sequence[Service], *, asks_ready: bool) -> None:
        self._services = services
        self._asks_ready = asks_ready

    def __call__(self, exchange: Exchange) -> None:
        """The state now."""
        found = [service_health(service) for service in self._services]
        good = sum(health.state == "ready" for health in found)
        status: Literal["ready", "degraded", "quarantined"] = "quarantined"
        if good:
            status = "ready" if good == len(found) else "degraded"
        body = msgspec.json.encode(Health(status, True, good > 0, found))
        exchange.answer(Answer(200 if good or not self._asks_ready else 503, JSON, body))


class Deployed:
    """What serves one service now, and how a challenger on trial does: as this worker sees it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, exchange: Exchange) -> None:
        """The state now."""
        lineup = self._service.standing()
        trial = lineup.trial
        criteria = [_criterion(standing) for standing in trial.judge.summary()] if trial else []
        exchange.answer(
            json(
                DeploymentState(
                    str(lineup.deployment.ref),
                    lineup.champion.contender.name,
                    trial.challenger.name if trial else "",
                    [shadow.contender.name for shadow in lineup.shadows],
                    trial.judge.rows if trial else 0,
                    trial.judge.labels if trial else 0,
                    criteria,
                )
            )
        )


class Criterion(msgspec.Struct, frozen=True):
    """One thing that a challenger is judged by: measured, allowed, and how near an alarm is (1: it is raised).

    ``segment`` is the one with most evidence against it, where segments are judged.
    """

    name: str
    value: float | None
    bound: float
    evidence: float
    segment: str


class DeploymentState(msgspec.Struct, frozen=True):
    """The deployment that is taken up; ``rows`` and ``labels`` were judged of the challenger by this worker."""

    deployment: str
    champion: str
    challenger: str
    shadows: list[str]
    rows: int
    labels: int
    criteria: list[Criterion]


def _criterion(standing: Standing) -> Criterion:
    value = None if math.isnan(standing.value) else standing.value
    return Criterion(standing.criterion, value, standing.bound, standing.evidence, standing.segment)


def service_health(service: Service) -> ServiceHealth:
    """The health of one service."""
    lineup = service.lineup
    if lineup is None:
        return ServiceHealth(service.name, "quarantined", "", 0, service.reason)
    name = lineup.champion.contender.name
    return ServiceHealth(service.name, "ready", name, lineup.deployment.version, service.reason)
