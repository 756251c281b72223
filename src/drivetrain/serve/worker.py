"""A worker: one process that answers for every service of the server. ``python -m drivetrain.serve.worker ORDER``.

It ends when it is told to (SIGTERM), or when the supervisor is gone: then its standard input ends.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from drivetrain.access.usage import FILE as USAGE
from drivetrain.access.usage import UsageTable
from drivetrain.connect.http.listener import Listener
from drivetrain.connect.http.listening import shared
from drivetrain.connect.http.tls import Certificate
from drivetrain.core.errors import DrivetrainError, MissingExtra
from drivetrain.serve.board import Board, Note
from drivetrain.serve.cors import Cors
from drivetrain.serve.counts import Counts
from drivetrain.serve.door import Door
from drivetrain.serve.mishaps import MISHAPS, keep_log
from drivetrain.serve.order import Order
from drivetrain.serve.page import MetricsPage
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.routes import Routes
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServiceSettings, from_json
from drivetrain.serve.slots import Slots
from drivetrain.serve.surroundings import Surroundings
from drivetrain.store.catalog import Catalog

if TYPE_CHECKING:
    from drivetrain.serve.grpc_server import GrpcServer

_LOOK_SECONDS = 0.1
_GARBAGE = 50_000
"""Objects between two looks for cycles: a request leaves none behind, and looking 700 objects apart cost 15 %."""
_UPKEEP_SECONDS = 1.0
_SWITCH_SECONDS = 0.001
"""So long a thread beside the loop goes on when the loop wants to: five times less than usual."""
_START_SECONDS = 5.0
"""A service that needs longer to load is quarantined until it has: the others do not wait for it."""


Step = Callable[[], Awaitable[float]]
"""Something to be done again and again; gives the seconds until the next time."""


class Worker:
    """The worker's services, its address, and what it does again and again beside answering."""

    def __init__(self, order: Order, opened: ExitStack) -> None:
        settings = order.settings
        self._order = order
        self._opened = opened
        self._board = Board(order.folder)
        self._surroundings = Surroundings(
            Pulse(order.pulse), Slots(order.blamed), settings.workers, os.environ, closing=opened
        )
        self._counts = Counts()
        self._catalogs: dict[Path, Catalog] = {}
        self._usages: dict[Path, UsageTable] = {}
        self.services = [self._service(service) for service in settings.services]
        page = MetricsPage(self.services, self._board, self._counts, lambda: self._listener.connections)
        most = settings.limits.max_body_bytes
        routes = Routes(self.services, self._counts, lambda: page.text(os.getpid()), order.url, most)
        cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._door = Door(routes, self._counts, most, cors)
        self._certificate = Certificate(settings.tls, _log) if settings.tls else None
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Answer until told to stop. Raises what keeps the worker from starting."""
        await self._load()
        gc.collect()
        gc.freeze()  # what was loaded stays; the collector need not look at it again and again
        gc.set_threshold(_GARBAGE)
        self._listener = Listener(self._door, self._order.settings.limits)
        held = shared(self._order.settings.host, self._order.port)
        await self._listener.listen(held, self._certificate.context if self._certificate else None)
        grpc = await self._listen_to_grpc()
        self._listen_for_the_end()
        with suppress(OSError):  # a full disk: upkeep tries again, and tells it
            self._note(serving=True)
        self._keep_on(self._upkeep, *(partial(self._follow, service) for service in self.services))
        await self._ended.wait()
        seconds = self._order.settings.drain_seconds
        await asyncio.gather(self._listener.drain(seconds), *([grpc.drain(seconds)] if grpc else []))
        for task in self._tasks:
            task.cancel()
        for service in self.services:
            service.close()
        with suppress(OSError):
            self._note(serving=False)

    def _service(self, settings: ServiceSettings) -> Service:
        home = settings.home
        if home not in self._catalogs:
            self._catalogs[home] = self._opened.enter_context(Catalog(home))
            self._usages[home] = UsageTable(self._catalogs[home].state / USAGE)
            self._opened.callback(self._usages[home].close)
        return Service(settings, self._catalogs[home], self._usages[home], self._surroundings)

    async def _load(self) -> None:
        """Take up what is deployed. The only service of a new server must come up; others are quarantined alone."""
        if len(self.services) == 1 and not self._order.again:
            await self.services[0].start()
            self._keep_on(self._beat)
            return
        self._keep_on(self._beat)  # what hangs while it loads holds up nobody else
        self._starts = {service.name: asyncio.create_task(self._start(service)) for service in self.services}
        await asyncio.wait(self._starts.values(), timeout=_START_SECONDS)
        for service in self.services:
            if not self._starts[service.name].done():
                service.quarantine("its release is still loading")

    async def _start(self, service: Service) -> None:
        try:
            await service.start()
        except DrivetrainError as error:
            service.quarantine(error.message)
            _log(f"{service.name} is quarantined: {error}")

    async def _listen_to_grpc(self) -> GrpcServer | None:
        """Answer gRPC too, where the settings say so. Raises MissingExtra."""
        if not self._order.grpc_port:
            return None
        try:
            from drivetrain.serve.grpc_server import GrpcServer
        except ImportError:
            raise MissingExtra("grpcio", "grpc") from None
        server = GrpcServer(self.services, self._order.settings, self._certificate)
        await server.listen(self._order.grpc_port)
        return server

    def _keep_on(self, *steps: Step) -> None:
        self._tasks += [asyncio.create_task(_again_and_again(step)) for step in steps]

    def _listen_for_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ended.set)
        loop.add_reader(sys.stdin.fileno(), self._heard)

    def _heard(self) -> None:
        if not os.read(sys.stdin.fileno(), 1):  # the supervisor is gone
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._ended.set()

    async def _beat(self) -> float:
        self._surroundings.pulse.beat()
        return _LOOK_SECONDS

    async def _follow(self, service: Service) -> float:
        """Take up a newer deployment, and say so at once: somebody waits for it."""
        if service.name in self._starts:
            await self._starts[service.name]
        if await service.follow():
            self._note(serving=True)
        return _LOOK_SECONDS

    async def _upkeep(self) -> float:
        if self._certificate is not None:
            self._certificate.refresh()
        for service in self.services:
            service.callers.refresh()
            service.watch()
            try:
                service.flush()
            except DrivetrainError as error:
                _log(str(error))
        self._note(serving=True)
        self._end_trials()
        return _UPKEEP_SECONDS

    def _end_trials(self) -> None:
        """Promote challengers that have been judged often enough, counted over all workers."""
        trials = [
            service for service in self.services if service.lineup is not None and service.lineup.trial is not None
        ]
        if not trials:
            return
        notes = [note for note in self._board.notes() if note.serving]
        for service in trials:
            version = service.standing().deployment.version
            theirs = [note.services[service.name] for note in notes if service.name in note.services]
            theirs = [note for note in theirs if note.deployment == version]
            rows, labels = sum(note.trial_rows for note in theirs), sum(note.trial_labels for note in theirs)
            service.end_if_judged(rows, labels)

    def _note(self, *, serving: bool) -> None:
        notes = {service.name: service.note() for service in self.services}
        releases = self._surroundings.slots.releases
        note = Note(os.getpid(), serving, notes, releases, self._listener.connections, self._counts)
        self._board.write(self._order.number, note)


async def _again_and_again(step: Step) -> None:
    """Do a step, wait as long as it says, and so on; what goes wrong is told, and tried again."""
    while True:
        wait = _UPKEEP_SECONDS
        try:
            wait = await step()
        except Exception as error:  # noqa: BLE001 - the process boundary: upkeep that fails once must not end for ever
            MISHAPS.tell(error)
        await asyncio.sleep(wait)


def _log(text: str) -> None:
    print(f"drivetrain serve: {text}", file=sys.stderr)  # noqa: T201 - the log


def main() -> int:
    """Be a worker until told to stop; the exit code."""
    faulthandler.enable()  # a crash in a library tells the log where
    faulthandler.register(signal.SIGUSR1)  # and so does silence, when the supervisor asks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the supervisor, who tells its workers
    keep_log()
    sys.setswitchinterval(_SWITCH_SECONDS)
    order = from_json(sys.argv[1], Order)

    async def work() -> None:
        with ExitStack() as opened:
            await Worker(order, opened).run()

    try:
        uvloop.run(work())
    except DrivetrainError as error:
        print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - this is a door
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
