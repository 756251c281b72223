"""Whether the running server has taken up what was just deployed. Server and command share no more than a file."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from drivetrain.core.artifacts import Deployment
from drivetrain.core.decoding import read_json
from drivetrain.store.catalog import Catalog

WITHIN_S = 10.0
_LOOK_EVERY_S = 0.01


@dataclass(frozen=True)
class Uptake:
    """What became of a deployment: ``live`` on every worker, ``late``, or there is no server to be live on.

    ``seconds`` is how long that took to see; ``detail`` says it for a person.
    """

    state: Literal["live", "late", "no_server"]
    seconds: float
    detail: str


@dataclass(frozen=True)
class _Running:
    """The ready file of a server: ``deployment`` is the version that answers in every worker."""

    pid: int
    url: str
    deployment: int
    state: str
    reason: str = ""


def await_uptake(deployment: Deployment, catalog: Catalog, within_s: float | None = None) -> Uptake:
    """Wait until the running server answers with this deployment or a later one; not when no server runs."""
    file = catalog.state / "run" / f"{deployment.name}.json"
    began = time.monotonic()
    while True:
        running = _running(file)
        seconds = time.monotonic() - began
        if running is None:
            return Uptake("no_server", seconds, "no server runs here; `drivetrain serve` starts one")
        if running.deployment >= deployment.version and running.state == "ready":
            return Uptake("live", seconds, f"live at {running.url} in {seconds:.1f} s")
        if seconds > (WITHIN_S if within_s is None else within_s):
            return Uptake("late", seconds, _why_late(running, deployment, seconds))
        time.sleep(_LOOK_EVERY_S)


def _running(file: Path) -> _Running | None:
    """The server that says it runs, if it does."""
    try:
        said = read_json(file.read_bytes(), _Running)
        os.kill(said.pid, 0)
    except (FileNotFoundError, ProcessLookupError, msgspec.DecodeError):
        return None
    except PermissionError:  # it lives, as another user
        return said
    return said


def _why_late(running: _Running, deployment: Deployment, seconds: float) -> str:
    reason = f": {running.reason}" if running.reason else ""
    return (
        f"not live after {seconds:.0f} s: the server at {running.url} is {running.state} and answers with "
        f"deployment/{deployment.name}@{running.deployment}{reason}; look at its log and at /v2/health/ready"
    )
