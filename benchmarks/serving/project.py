"""Drivetrain as a contestant: a project with a signed, approved and deployed release, and its server with all of it on.

On are key check, rate limit, quota, typed validation, prediction ids, journal, drift counts and metrics.
"""

from __future__ import annotations

from pathlib import Path

from drivetrain.engine.serving import server_command
from drivetrain.serve.settings import ServerSettings, ServiceSettings
from drivetrain.store.models import ModelContent
from drivetrain.testing.releases import ReleaseMaker

SERVICE = "bench"
_NEVER_REACHED = 1_000_000


def make_project(home: Path, content: ModelContent) -> str:
    """Release and deploy the model in the project of ``home``; gives an API key."""
    home.mkdir()
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(content))
    return maker.key("bench")


def command(home: Path, port: int) -> list[str]:
    """The command line of the server of that project: the one place that says how it is started."""
    service = ServiceSettings(home, SERVICE, requests_per_second=_NEVER_REACHED, rows_per_day=_NEVER_REACHED**2)
    return server_command(ServerSettings((service,), port=port))
