"""A project's held-back rows, sent to its running service: usual traffic, or traffic of a changed world."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from drivetrain.client import Client
from drivetrain.core.artifacts import Features
from drivetrain.core.errors import NotFound
from drivetrain.core.events import Progress, silent
from drivetrain.engine.project import Project
from drivetrain.engine.traffic import TRAFFIC, cases_to_send, drifted, labelled, predicted
from drivetrain.store.cases import Cases

CALLER = "traffic"
DRIFT = "demo/drift.sql"


@dataclass(frozen=True)
class Sent:
    """How many rows were answered, and of how many the outcome was told."""

    predictions: int
    labels: int


def send(
    project: Project,
    url: str | None = None,
    *,
    rows: int,
    drift: bool = False,
    labels: bool = True,
    progress: Progress = silent,
) -> Sent:
    """Send at most ``rows`` of the test part of the release that serves, under a key of their own.

    With ``drift`` the rows go through ``demo/drift.sql``, which reads them as ``traffic``. Raises NotFound when nothing
    serves or there is no such file, and what the client raises.
    """
    cases = _cases(project, rows)
    inputs = cases.inputs
    if drift:
        file = project.home / DRIFT
        if not file.is_file():
            raise NotFound(
                "drift_missing",
                "the project does not say how its traffic would drift",
                where=DRIFT,
                hint="write a SELECT that reads the rows as `traffic`: SELECT * REPLACE (x * 2 AS x) FROM traffic",
            )
        inputs = drifted(inputs, file)
    if CALLER in project.key_names():
        project.revoke_key(CALLER)
    with Client(url or _running(project), project.add_key(CALLER)) as client:
        predictions = predicted(client, inputs, progress)
        if labels:
            labelled(client, predictions, cases, progress)
    return Sent(len(predictions), len(predictions) if labels else 0)


def _cases(project: Project, rows: int) -> Cases:
    catalog = project.catalog
    refs = catalog.ancestors(project.deployment().shares[0].release)
    features = next(found for found in map(catalog.find, refs) if isinstance(found, Features))
    cases = cases_to_send(catalog, project.spec.sources, features)
    own_sql = (project.home / TRAFFIC).exists()
    return cases.take(np.arange(min(rows, len(cases)))) if own_sql else cases.some(rows)


def _running(project: Project) -> str:
    """Where the server of this project said that it answers; the address of the project file when it said nothing."""
    service = project.spec.service
    try:
        said = json.loads((project.catalog.state / "run" / f"{project.spec.service_name}.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return f"http://{service.host}:{service.port}"
    return str(said["url"])
