"""The server's process: what it starts, in which order, and how it ends.

The release is loaded and checked before the port is opened; the ready file and the line on standard output appear once
the server answers. SIGTERM and SIGINT finish what was accepted, close the journal, let the recorder roll it, and the
process ends with exit code 0.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server

from drivetrain.core.errors import Transient
from drivetrain.serve.callers import Callers, RateLimit
from drivetrain.serve.door import Door
from drivetrain.serve.listening import answering, claim, url_of
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.metrics import Metrics
from drivetrain.serve.predict import RowLimits
from drivetrain.serve.recording import RecorderProcess
from drivetrain.serve.scoring import Scoring
from drivetrain.serve.service import Parts, routes
from drivetrain.serve.settings import ServeSettings
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_file
from drivetrain.store.segments import LabelLog, PredictionLog, waiting_bytes

_LOOK_EVERY_S = 1.0


class ServerProcess:
    """The prediction server of one release, to be run once."""

    def __init__(self, settings: ServeSettings, catalog: Catalog, release: LoadedRelease) -> None:
        self._settings = settings
        self._release = release
        self._ready_file = catalog.state / "run" / f"{settings.service}.json"
        self._callers = Callers(catalog.state)
        self._journal = catalog.journal_path(settings.service)
        self._predictions = PredictionLog(self._journal, release.ref, release.signature, fsync=settings.fsync)
        self._labels = LabelLog(self._journal, fsync=settings.fsync)
        self._recorder = RecorderProcess(settings)
        self._stopping = False

    async def run(self) -> None:
        """Serve until a signal says to stop. Raises InvalidInput when the address cannot be used."""
        # What is entered last is left first: no more answers, then no more journal, then the recorder's last roll.
        gc.freeze()  # what was loaded stays; the collector need not look at it again and again
        with claim(self._settings.host, self._settings.port) as held, self._recorder, self._open_journal():
            await self._answer(held, url_of(held, self._settings.host))

    async def _answer(self, held: socket.socket, url: str) -> None:
        serving = self._start(self._door(url), held.getsockname()[1])
        ready = asyncio.create_task(answering(held, "/health/ready"))
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            with self._announced(url):
                looking = asyncio.create_task(self._look_after())
                await asyncio.wait({serving})
                looking.cancel()
        ready.cancel()
        if not self._stopping:
            raise Transient("server_ended", "the HTTP server ended by itself", where=url, hint="start it again")

    def _start(self, door: Door, port: int) -> asyncio.Task[None]:
        http = Server(door, self._settings.host, port, interface=Interfaces.RSGI, log_enabled=False, websockets=False)
        serving = asyncio.create_task(http.serve())
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self._stopping = True
            http.stop()  # type: ignore[no-untyped-call] # granian gives no types here
            loop.call_later(self._settings.drain_seconds, serving.cancel)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        return serving

    def _door(self, url: str) -> Door:
        settings = self._settings
        metrics = Metrics({"service": settings.service, "release": str(self._release.ref)})
        scoring = Scoring(self._release, self._predictions, metrics, settings.max_waiting_rows)
        metrics.gauge("drivetrain_waiting_rows", "Rows that wait to be scored.", lambda: scoring.waiting_rows)
        metrics.gauge(
            "drivetrain_journal_waiting_bytes",
            "What is in the journal and not yet in the lake.",
            lambda: waiting_bytes(self._journal),
        )
        metrics.gauge(
            "drivetrain_recorder_starts",
            "How often the recorder was started: more than once, and it ended.",
            lambda: self._recorder.starts,
        )
        limits = RowLimits(settings.max_rows, settings.max_explained_rows)
        parts = Parts(self._release, scoring, self._labels, metrics, limits)
        rate = RateLimit(settings.requests_per_second) if settings.requests_per_second else None
        found = routes(parts, url)
        return Door(found, self._callers, metrics, max_body_bytes=settings.max_body_bytes, rate_limit=rate)

    async def _look_after(self) -> None:
        while True:
            self._recorder.look_after()
            self._callers.refresh()
            await asyncio.sleep(_LOOK_EVERY_S)

    @contextmanager
    def _open_journal(self) -> Iterator[None]:
        for name in self._callers.names:  # a caller that is known from the start needs no segment of its own
            self._predictions.caller(name)
        try:
            yield
        finally:
            self._predictions.close()
            self._labels.close()

    @contextmanager
    def _announced(self, url: str) -> Iterator[None]:
        said = {"pid": os.getpid(), "url": url, "release": str(self._release.ref)}
        write_file(self._ready_file, msgspec.json.encode(said))
        print(f"{self._settings.service}: {self._release.ref} answers at {url}, see {url}/docs", flush=True)  # noqa: T201 - the one line a person waits for
        try:
            yield
        finally:
            _remove_own(self._ready_file)


def _remove_own(path: Path) -> None:
    """Take the ready file away, unless another process has put its own there."""
    try:
        pid = msgspec.json.decode(path.read_bytes())["pid"]
    except FileNotFoundError:
        return
    if pid == os.getpid():
        path.unlink(missing_ok=True)
