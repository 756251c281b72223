"""Projects with deployed releases, and real servers of them: a shared one, and fresh ones with other settings."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivetrain.access.api_keys import create_key
from drivetrain.connect.http.settings import ConnectionLimits
from drivetrain.core.artifacts import Release
from drivetrain.core.refs import Ref
from drivetrain.serve.loading import LoadedRelease, load
from drivetrain.serve.settings import ServerSettings, ServiceSettings, to_json
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import again, flipped, logistic_model
from drivetrain.testing.releases import ReleaseMaker

SERVICE, OTHER = "loans", "cards"
_SERVER = {each.name for each in fields(ServerSettings)}
_LIMITS = {each.name for each in fields(ConnectionLimits)}


def until(condition: Callable[[], object], seconds: float = 20.0, every: float = 0.01) -> None:
    """Wait until something is so; fail after so many seconds."""
    over = time.monotonic() + seconds
    pause = Event()
    while not condition():
        assert time.monotonic() < over, f"not so within {seconds:g} seconds"
        pause.wait(every)


def ended(pid: int, seconds: float = 20.0) -> bool:
    """Wait until a process has ended, whoever started it; false after so many seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(handle) as file:
        return bool(select.select([file], [], [], seconds)[0])


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    with suppress(FileNotFoundError):
        return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def settings_of(home: Path, others: tuple[ServiceSettings, ...] = (), **changed: Any) -> ServerSettings:
    """A server of the loans in ``home`` on a free port, with settings by their names, wherever they belong."""
    server = {name: changed.pop(name) for name in list(changed) if name in _SERVER}
    limits = {name: changed.pop(name) for name in list(changed) if name in _LIMITS}
    first = ServiceSettings(home, changed.pop("name", SERVICE), **changed)
    return ServerSettings((first, *others), **{"port": 0, "limits": ConnectionLimits(**limits), **server})


def spoil(home: Path, release: Release, name: str) -> None:
    """Flip a bit of a file of a release."""
    with Catalog(home) as catalog:
        path = catalog.folder(release.ref) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lake(home: Path, kind: str, service: str = SERVICE) -> list[dict[str, Any]]:
    """The rows of a service's table, after what is left in the journal has moved there."""
    with Catalog(home) as catalog:
        roll(catalog, service)
        table = Table(catalog.table_path(kind, service))
        return list(table.read().to_pylist()) if table.exists() else []


@dataclass
class Running:
    """A server, somebody with a key to ask it, and somebody without."""

    process: subprocess.Popen[str]
    settings: ServerSettings
    url: str
    key: str
    client: httpx.Client
    anyone: httpx.Client
    begun: set[int] = field(default_factory=set)

    @property
    def home(self) -> Path:
        return self.settings.services[0].home

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def address(self) -> tuple[str, int]:
        found = httpx.URL(self.url)
        return found.host, found.port or 0

    def predict(self, *rows: dict[str, Any], **more: object) -> httpx.Response:
        return self.client.post("/v1/predict", json={"rows": rows, **more})

    def health(self, service: str = SERVICE) -> dict[str, Any]:
        services = self.anyone.get("/health").json()["services"]
        return next(found for found in services if found["service"] == service)

    def said(self, service: str = SERVICE) -> dict[str, Any]:
        """The ready file."""
        return dict(json.loads((self.home / ".drivetrain" / "run" / f"{service}.json").read_bytes()))

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Samples by name and the values of their labels, ``service`` last; from any worker: by a new connection."""
        text = self.client.get("/metrics", headers={"connection": "close"}).text
        return {
            (sample.name, *[value for name, value in sorted(sample.labels.items())]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def workers(self) -> list[int]:
        """The processes that answer; the only other one is the recorder."""
        return list(self.said()["workers"])

    def recorder(self) -> int:
        until(lambda: len(self.family()) > self.settings.workers)
        (found,) = set(self.family()) - set(self.workers())
        return found

    def family(self) -> list[int]:
        """All processes of the server but the supervisor."""
        found = children(self.process.pid)
        self.begun.update(found)
        return found

    def deployed(self, version: int, service: str = SERVICE, seconds: float = 20.0) -> None:
        """Wait until a deployment has been taken up by every worker."""
        until(lambda: self.said(service)["deployment"] == version, seconds)

    def kill(self) -> None:
        """End the supervisor as a power switch would."""
        self.family()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.family()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def finish(self) -> None:
        """Stop it unless it has ended, and see that nothing is left of it."""
        if self.process.poll() is None:
            assert self.stop() == 0
        assert [pid for pid in self.begun if not ended(pid)] == []


@contextmanager
def running(settings: ServerSettings) -> Iterator[Running]:
    """A server: ready on entering, and gone with all its processes on leaving."""
    home = settings.services[0].home
    with Catalog(home) as catalog:
        key = create_key(catalog.state, f"caller-{os.urandom(4).hex()}")
    log = home / "server.log"
    with log.open("ab") as told:
        command = [sys.executable, "-m", "drivetrain.serve", to_json(settings)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        line = process.stdout.readline()
        assert " answers at " in line, f"{process.wait(30)} {log.read_text()}"
        url = line.split(" answers at ")[1].split(",")[0]
        headers = {"Authorization": f"Bearer {key}"}
        try:
            asking = partial(httpx.Client, base_url=url, timeout=20, verify=False)
            with asking(headers=headers) as client, asking() as anyone:
                server = Running(process, settings, url, key, client, anyone)
                server.family()
                yield server
                server.finish()
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


@dataclass(frozen=True)
class Template:
    """A project with three releases, of which the good one is deployed."""

    home: Path
    good: Release
    same: Release
    flipped: Release


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    home = tmp_path_factory.mktemp("template")
    maker = ReleaseMaker(home, SERVICE)
    good = maker.release(logistic_model())
    maker.deploy(good)
    return Template(home, good, maker.release(again(logistic_model())), maker.release(flipped()))


@pytest.fixture
def home(template: Template, tmp_path: Path) -> Path:
    """A project of one's own."""
    return Path(shutil.copytree(template.home, tmp_path / "project"))


@pytest.fixture
def maker(home: Path) -> ReleaseMaker:
    """Makes and deploys further releases in one's own project."""
    return ReleaseMaker(home, SERVICE)


Start = Callable[..., Running]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts servers of one's own project, with settings by name."""
    with ExitStack() as stack:
        yield lambda **changed: stack.enter_context(running(settings_of(home, **changed)))


@pytest.fixture(scope="session")
def server(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the default settings that many tests ask."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("shared") / "project"))
    with running(settings_of(home)) as found:
        yield found


@pytest.fixture(scope="session")
def pair(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two services in one server with two workers: the loans, and cards, which decide the other way round."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("pair") / "project"))
    ReleaseMaker(home, OTHER, SERVICE).deploy(template.flipped)
    with running(settings_of(home, (ServiceSettings(home, OTHER),), workers=2)) as found:
        yield found


@pytest.fixture(scope="session")
def loaded(template: Template) -> LoadedRelease:
    with Catalog(template.home) as catalog:
        return load(catalog, template.good.ref)


@pytest.fixture(scope="session")
def ref(template: Template) -> Ref:
    return template.good.ref
