"""The whole of Drivetrain on one laptop: raw data to live, monitored predictions, checked at every step."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivetrain.client import Client, Prediction
from drivetrain.core.artifacts import Deployment, DriftReport, Features, Model, Release, Report
from drivetrain.core.errors import NotFound, Refused
from drivetrain.core.events import Progress, StageFinished, StageProgressed, StageSkipped, StageStarted, Subscriber
from drivetrain.core.refs import Ref
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.project import FILE, Project
from drivetrain.engine.serving import Server
from drivetrain.engine.summary import summary
from drivetrain.engine.traffic import TRAFFIC, cases_to_send, drifted, labelled, predicted
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.saying import score_of
from drivetrain.packs.templates import read_pack
from drivetrain.store.cases import Cases
from drivetrain.store.models import read_model

CALLER = "demo"
_USUAL_ROWS, _DRIFTED_ROWS = 25_000, 5_000
"""At most."""
_PARITY = 1e-6
Rows = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class LiveDemo:
    """A demo whose service answers: where, with which key, and what it found."""

    project: Project
    server: Server
    key: str
    model_card: Path
    release: Release
    example: str
    prediction_id: str
    steady: DriftReport
    drift: DriftReport

    @property
    def drift_page(self) -> Path:
        """The page of the last drift report."""
        return self.project.catalog.folder(self.drift.ref) / "report.html"


@contextmanager
def live_demo(
    folder: Path, settings: Settings, subscribers: Sequence[Subscriber], pack: str = "risk"
) -> Iterator[LiveDemo]:
    """Carry the project of a pack from raw data to a live service with drift found in its traffic.

    Raises NotFound for an unknown pack, Refused when any step does not do what it should; the service is stopped on
    leaving.
    """
    project = _project(folder, settings, pack)
    project.run(subscribers=subscribers)
    tell = _Teller(subscribers)
    release = _approved(project, tell)
    _deployed(project, release, tell)
    key = _new_key(project)
    running = Server(project.server_command(port=_port(project)), _ready_file(project))
    with running as server, Client(server.url, key) as client:
        yield _watch(project, server, client, key, release, tell)


def _watch(project: Project, server: Server, client: Client, key: str, release: Release, tell: _Teller) -> LiveDemo:
    cases = cases_to_send(project.catalog, project.spec.sources, _ancestor(project, release, Features))
    own_sql = (project.home / TRAFFIC).exists()
    first, last = _parts(len(cases), by_lot=not own_sql)
    usual, later = cases.take(first), cases.take(last)
    expected = None if own_sql else _expected(project, release, first)
    predictions = tell.step(
        "traffic", "held-back rows", lambda progress: _steady(client, usual, expected, progress),
        _count if own_sql else _answered,
    )  # fmt: skip
    steady = tell.step("monitor", "usual traffic", project.monitor, summary)
    _check(steady.verdict == "steady", "the usual traffic was called drifted", steady.recommendation)
    sql = project.home / "demo" / "drift.sql"
    changed = drifted(later.inputs, sql)
    tell.step("traffic", "drifted rows", lambda progress: predicted(client, changed, progress), _count)
    drift = tell.step("monitor", "drifted traffic", project.monitor, summary)
    _check(drift.verdict == "drifted", "the drift was not noticed", drift.recommendation)
    trace = project.trace(predictions[0].id)
    whats = {step.what for step in trace.steps}
    _check({"release", "report", "model", "features", "dataset", "code"} <= whats, "the trace has gaps", str(whats))
    report = _ancestor(project, release, Report)
    return LiveDemo(
        project=project, server=server, key=key, release=release, steady=steady, drift=drift,
        model_card=project.catalog.folder(report.ref) / "report.html",
        example=_example(usual), prediction_id=predictions[0].id,
    )  # fmt: skip


class _Teller:
    """Tells the subscribers of the steps that are not stages."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers

    def step(self, stage: str, name: str, make: Callable[[Progress], T], found: Callable[[T], str] | None = None) -> T:
        """Run one step, with its progress."""

        def progress(done: float, total: float | None = None, note: str = "") -> None:
            self._tell(StageProgressed(stage, name, done, total, note))

        self._tell(StageStarted(stage, name, ""))
        started = time.perf_counter()
        made = make(progress)
        text = found(made) if found else str(made)
        self._tell(StageFinished(stage, name, getattr(made, "ref", None), text, time.perf_counter() - started))
        return made

    def skip(self, stage: str, name: str, why: str, ref: Ref) -> None:
        """Say that a step had been done before."""
        self._tell(StageSkipped(stage, name, why, ref))

    def _tell(self, event: StageStarted | StageProgressed | StageFinished | StageSkipped) -> None:
        for subscriber in self._subscribers:
            subscriber(event)


def _project(folder: Path, settings: Settings, pack: str) -> Project:
    if (folder / FILE).exists():
        return Project(folder, settings)
    return create_project(folder, pack, settings, name=read_pack(pack).title.lower().replace(" ", "-"))


def _approved(project: Project, tell: _Teller) -> Release:
    release = project.release()
    if release.approval is not None:
        tell.skip("approve", release.name, f"approved by {release.approval.actor} already", release.ref)
        return release
    comment = "demo: the model card was not read by a person"
    return tell.step("approve", release.name, lambda _: project.approve(release.ref, comment), summary)


def _deployed(project: Project, release: Release, tell: _Teller) -> Deployment:
    try:
        now = project.deployment()
    except NotFound:
        now = None
    if now is not None and now.shares[0].release == release.ref:
        tell.skip("deploy", now.name, "serves this release already", now.ref)
        return now
    return tell.step("deploy", project.spec.service_name, lambda _: project.deploy(release.ref), summary)


def _new_key(project: Project) -> str:
    if CALLER in project.key_names():
        project.revoke_key(CALLER)
    return project.add_key(CALLER)


def _steady(client: Client, cases: Cases, expected: Numbers | None, progress: Progress) -> tuple[Prediction, ...]:
    """Send the cases and how they came out; the first scores are held against those expected, if any are."""
    predictions = predicted(client, cases.inputs, progress)
    labelled(client, predictions, cases, progress)
    if expected is not None:
        scores = np.array([prediction.score for prediction in predictions[: len(expected)]])
        gap = float(np.abs(scores - expected).max())
        what = "the served scores are not those of the trained pipeline"
        _check(gap <= _PARITY, what, f"largest difference {gap:.1e}")
        progress(len(predictions), len(predictions), f"equal to the trained pipeline to {gap:.0e}")
    return predictions


def _expected(project: Project, release: Release, rows: Rows) -> Numbers:
    """What the trained pipeline said of those of these held-back rows that it was asked for: the first ones."""
    expected = score_of(read_model(project.catalog.folder(_ancestor(project, release, Model).ref)).expected)
    return np.asarray(expected[rows[rows < len(expected)]])


def _parts(cases: int, *, by_lot: bool) -> tuple[Rows, Rows]:
    """The usual traffic, and what will drift, each in its order. Without a lot the last rows are what drifts.

    By lot, since the first rows of a table may be those of a few entities, or of one class.
    """
    usual = max(cases - _DRIFTED_ROWS, cases // 2)
    rows = np.random.default_rng(0).permutation(cases) if by_lot else np.arange(cases)
    return np.sort(rows[: min(usual, _USUAL_ROWS)]), np.sort(rows[usual:])


def _ancestor(project: Project, release: Release, cls: type[T]) -> T:
    refs = project.catalog.ancestors(release.ref)
    return next(artifact for artifact in map(project.catalog.find, refs) if isinstance(artifact, cls))


def _example(cases: Cases) -> str:
    return json.dumps({"rows": cases.inputs[:1].to_pylist()}, default=str)


def _port(project: Project) -> int:
    """The port of the project file, or any free one when somebody has that."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((project.spec.service.host, project.spec.service.port))
        except OSError:
            return 0
    return project.spec.service.port


def _ready_file(project: Project) -> Path:
    return project.catalog.state / "run" / f"{project.spec.service_name}.json"


def _count(predictions: tuple[Prediction, ...]) -> str:
    return f"{len(predictions):,} predictions"


def _answered(predictions: tuple[Prediction, ...]) -> str:
    return f"{_count(predictions)} answered and recorded, each equal to the trained pipeline's to {_PARITY:.0e}"


def _check(good: bool, what: str, detail: str) -> None:
    if not good:
        raise Refused(
            "demo_failed", f"{what}: {detail}", hint="this should not happen; please report it with the output"
        )
