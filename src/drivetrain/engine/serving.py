"""The prediction server as a process of its own: its command line, and a running one to talk to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivetrain.connect.http.settings import ConnectionLimits, Tls
from drivetrain.core.errors import InvalidInput, Transient, examples
from drivetrain.core.project import ProjectSpec
from drivetrain.core.reading import PaperReading
from drivetrain.core.review_queue import ReviewRule
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.service import ServiceSpec
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.engine.entities import entity_view
from drivetrain.ops.shown import ShownRules
from drivetrain.serve.settings import ServerSettings, ServiceSettings, to_json

_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.02


def server_command(settings: ServerSettings) -> list[str]:
    """The command line of a server."""
    return [sys.executable, "-m", "drivetrain.serve", to_json(settings)]


def server_settings(
    services: Sequence[tuple[Path, ProjectSpec]], *, host: str | None, port: int | None, workers: int | None = None
) -> ServerSettings:
    """One server for the services of these projects (home, spec); what belongs to the whole server is the first one's.

    ``host``, ``port`` and ``workers`` stand in for those of the project file. Raises InvalidInput when two services
    have one name: their paths would be the same.
    """
    names = [spec.service_name for _, spec in services]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise InvalidInput(
            "service_twice",
            f"two services of this server are called {examples(twice)}",
            where="service.name",
            hint="give one of them another `name` under `service` in its project file, then deploy it again",
        )
    home, first = services[0][0], services[0][1].service
    tls = Tls(home / first.tls.certificate, home / first.tls.key) if first.tls else None
    return ServerSettings(
        services=tuple(_service_settings(home, spec) for home, spec in services),
        host=host or first.host,
        port=first.port if port is None else port,
        workers=workers or first.workers,
        grpc_port=first.grpc_port,
        tls=tls,
        cors_origins=first.cors_origins,
        limits=ConnectionLimits(**_same(first, ConnectionLimits)),
        drain_seconds=first.drain_seconds,
        hang_seconds=first.hang_seconds,
    )


def _service_settings(home: Path, spec: ProjectSpec) -> ServiceSettings:
    told = _same(spec.service, ServiceSettings)
    told["entities"] = entity_view(spec)
    told["forecasts"] = spec.forecast is not None
    told["canary"] = CanaryRule(**spec.service.canary.model_dump())
    told["documents"], told["tagger"] = _documents(spec)
    told["review"] = ReviewRule(**spec.service.review.model_dump())
    rules = spec.service.recommend.model_dump()
    told["remember_days"] = rules.pop("remember_days")
    told["recommend"] = ShownRules(**rules)
    return ServiceSettings(**{**told, "home": home, "name": spec.service_name})


def _documents(spec: ProjectSpec) -> tuple[PaperReading | None, str]:
    """How documents of callers are read, and the path of the tagger."""
    name = spec.service.documents
    if name is None:
        return None, ""
    source = spec.sources.get(name)
    if not isinstance(source, DocumentsSource):
        known = [key for key, one in spec.sources.items() if isinstance(one, DocumentsSource)]
        raise InvalidInput(
            "service_documents",
            f"{name!r} is no source of documents",
            where="service.documents",
            hint=f"name one of kind `documents`; there is {examples(known) or 'none'}",
        )
    return source.reading(), source.tagger or ""


def _same(spec: ServiceSpec, kind: type[ConnectionLimits | ServiceSettings]) -> dict[str, Any]:
    """The settings of the project file that have the same name here."""
    return {field.name: getattr(spec, field.name) for field in fields(kind) if field.name in ServiceSpec.model_fields}


class Server:
    """A running prediction server; as a context manager it is ready on entering and stopped on leaving."""

    def __init__(self, command: list[str], ready_file: Path) -> None:
        self._command = command
        self._ready_file = ready_file
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module
        self.url = self._wait(self._process)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def wait(self) -> None:
        """Until the server ends by itself."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Ask it to finish what it accepted and end; after a while, end it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            url = self._ready_url(process.pid)
            if url:
                return url
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        raise Transient(
            "server_not_ready",
            "the prediction server did not become ready",
            where=str(self._ready_file),
            hint="its own message stands above; `drivetrain doctor` looks at this machine",
        )

    def _ready_url(self, pid: int) -> str:
        """What the server wrote once it answered; empty before, and for what another process wrote."""
        try:
            said = json.loads(self._ready_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return ""
        return str(said["url"]) if said.get("pid") == pid else ""
