"""The process in front: starts the workers and the recorder, replaces whoever dies or falls silent, and ends them all.

It answers no request itself, so nothing that a model does can bring it down. A worker that dies while it scores leaves
in its pulse which release it was scoring with; a release that brings workers down again and again is not loaded any
more, and its service is quarantined while the others go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from drivetrain.connect.http.listening import authority, claim, url_of
from drivetrain.core.decoding import read_json
from drivetrain.serve.board import Board, Note
from drivetrain.serve.mishaps import MISHAPS
from drivetrain.serve.order import Order
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.recording import RecorderProcess
from drivetrain.serve.settings import ServerSettings, ServiceSettings, to_json
from drivetrain.store.folders import write_file

STATE = ".drivetrain"
FORGIVEN = 2
"""So many workers may die while they score with a release; at the next one it is quarantined."""
FORGET_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.02
_START_WITHIN_SECONDS = 60.0
_GRACE_SECONDS = 3.0
_LAST_WORDS_SECONDS = 0.3
_ABSENT_SECONDS = 0.25
"""Without a look for so long, the supervisor was kept from running: it looks every 0.02 s."""


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    pulse: Pulse
    since: float
    serving: bool = False
    excused: float = 0.0
    """Until this moment (monotonic) its silence is no sign: the supervisor itself did not run before it."""


class Supervisor:
    """One server, to be run once."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        first = settings.services[0]
        self._board = Board(first.home / STATE / "run" / first.name)
        self._recorder = RecorderProcess(settings.services)
        self._workers: dict[int, _Running] = {}
        self._blamed: dict[str, str] = {}
        self._deaths: list[tuple[float, str]] = []
        self._stopping = False
        self._said: dict[str, bytes] = {}
        self._url = ""
        self._port = self._grpc_port = 0

    def run(self) -> int:
        """Serve until told to stop; the exit code. Raises InvalidInput when the address cannot be used."""
        settings = self._settings
        self._board.clear()
        with claim(settings.host, settings.port) as held, self._claimed_grpc(), self._recorder:
            self._port = held.getsockname()[1]
            self._url = url_of(held, settings.host, tls=settings.tls is not None)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            for worker in range(settings.workers):
                self._start(worker)
            try:
                return self._watch()
            finally:
                self._end_workers()
                self._unsay()

    # --- watching ----------------------------------------------------------------------------------------------

    def _watch(self) -> int:
        started, looked = False, time.monotonic()
        while not self._stopping:
            looked = self._excuse_if_absent(looked)
            notes = {note.pid: note for note in self._board.notes()}
            for number, running in list(self._workers.items()):
                running.serving = running.process.pid in notes and notes[running.process.pid].serving
                if running.process.poll() is not None:
                    if not started:
                        return running.process.returncode or 1
                    self._died(number, running, "died")
                    looked = time.monotonic()  # what replacing a worker takes is no absence
                elif self._is_silent(running):
                    _ask_where_it_stands(running.process)
                    running.process.kill()
                    running.process.wait()
                    self._died(number, running, "fell silent")
                    looked = time.monotonic()
            if all(running.serving for running in self._workers.values()):
                self._say([notes[running.process.pid] for running in self._workers.values()])
                if not started:
                    started = True
                    self._greet()
                self._recorder.look_after()
            time.sleep(_LOOK_EVERY_SECONDS)
        return 0

    def _excuse_if_absent(self, looked: float) -> float:
        """Now. A machine that stood still brought all its processes to silence; who wakes first must not judge."""
        now = time.monotonic()
        if now - looked > _ABSENT_SECONDS:
            for running in self._workers.values():
                running.excused = now
        return now

    def _is_silent(self, running: _Running) -> bool:
        now, silent = time.monotonic(), running.pulse.silent_seconds
        age = now - running.since
        if silent < age:  # it has given a sign of life
            return min(silent, now - running.excused) > self._settings.hang_seconds
        return age > max(_START_WITHIN_SECONDS, self._settings.hang_seconds)

    def _died(self, number: int, running: _Running, how: str) -> None:
        release = self._scored_with(running)
        code = running.process.returncode
        print(  # noqa: T201 - a server's log is its stderr
            f"drivetrain serve: worker {number} (process {running.process.pid}) {how}, exit code {code}"
            f"{f', while scoring with {release}' if release else ''}; starting another",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        self._board.retire(number, running.process.pid)
        _let_go(running.process)
        running.pulse.close()
        now = time.monotonic()
        self._deaths = [(at, who) for at, who in self._deaths if now - at < FORGET_SECONDS]
        if release:
            self._deaths.append((now, release))
            times = Counter(who for _, who in self._deaths)[release]
            if times > FORGIVEN:
                self._blamed[release] = f"{times} workers {how} while scoring with it, within {FORGET_SECONDS:g} s"
        if now - running.since < _GRACE_SECONDS:
            time.sleep(0.5)  # a worker that dies as soon as it is born shall not keep a core busy
        self._start(number, again=True)

    def _scored_with(self, running: _Running) -> str:
        slot = running.pulse.scoring
        for note in self._board.notes():
            if note.pid == running.process.pid:
                return note.releases.get(slot, "")
        return ""

    # --- workers -----------------------------------------------------------------------------------------------

    def _start(self, number: int, *, again: bool = False) -> None:
        pulse, settings = Pulse(), self._settings
        order = Order(
            settings, number, self._port, self._url, self._board.folder, pulse.handle, self._grpc_port, again,
            self._blamed,
        )  # fmt: skip
        command = [sys.executable, "-m", "drivetrain.serve.worker", to_json(order)]
        # A session of its own: Ctrl+C in a terminal is for this process, which lets the workers finish.
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=[pulse.handle]
        )
        self._workers[number] = _Running(process, pulse, time.monotonic())

    def _end_workers(self) -> None:
        running = [worker.process for worker in self._workers.values()]
        for process in running:
            process.terminate()
        over = time.monotonic() + self._settings.drain_seconds + _GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, over - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _let_go(process)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    @contextmanager
    def _claimed_grpc(self) -> Iterator[None]:
        if self._settings.grpc_port is None:
            yield
            return
        with claim(self._settings.host, self._settings.grpc_port, setting="grpc_port") as held:
            self._grpc_port = held.getsockname()[1]
            yield

    # --- what the server says ----------------------------------------------------------------------------------

    def _greet(self) -> None:
        for service in self._settings.services:
            said = read_json(self._said[service.name], Said)
            what = said.release if said.state == "ready" else f"quarantined: {said.reason}"
            print(f"{service.name}: {what} answers at {self._url}, see {self._url}/docs", flush=True)  # noqa: T201 - the line a person waits for

    def _say(self, notes: list[Note]) -> None:
        """Write for each service what answers in every worker, whenever that changes."""
        for service in self._settings.services:
            content = msgspec.json.encode(self._state(service, notes))
            if self._said.get(service.name) != content:
                try:
                    write_file(_ready_file(service), content)
                except OSError as error:
                    if service.name not in self._said:
                        raise
                    MISHAPS.tell(error)  # a full disk; the next look tries again
                    continue
                self._said[service.name] = content

    def _state(self, service: ServiceSettings, notes: list[Note]) -> Said:
        found = [note.services[service.name] for note in notes]
        worst = min(found, key=lambda note: (note.state == "ready", note.deployment))
        return Said(
            os.getpid(), self._url, worst.release, worst.deployment, worst.state, worst.reason,
            authority(self._settings.host, self._grpc_port) if self._grpc_port else "",
            tuple(note.pid for note in notes),
        )  # fmt: skip

    def _unsay(self) -> None:
        """Take the ready files away, unless another server has put its own there."""
        for service in self._settings.services:
            with suppress(FileNotFoundError, msgspec.DecodeError):
                if read_json(_ready_file(service).read_bytes(), Said).pid == os.getpid():
                    _ready_file(service).unlink(missing_ok=True)


class Said(msgspec.Struct, frozen=True):
    """The ready file of a service: where it answers, and with what. ``deployment`` is taken up by every worker."""

    pid: int
    url: str
    release: str
    deployment: int
    state: str
    reason: str = ""
    grpc: str = ""
    workers: tuple[int, ...] = ()


def _ask_where_it_stands(process: subprocess.Popen[bytes]) -> None:
    """Have every thread of a silent worker tell the log where it is, and say what the system has it waiting for."""
    process.send_signal(signal.SIGUSR1)
    time.sleep(_LAST_WORDS_SECONDS)
    told = Path("/proc", str(process.pid))
    with suppress(OSError):
        state = (told / "stat").read_text().rpartition(")")[2].split()[0]
        waits_in = (told / "wchan").read_text()
        print(f"drivetrain serve: process {process.pid} is in state {state}, waiting in {waits_in}", file=sys.stderr)  # noqa: T201 - the log


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe by which a worker, which has ended, would have noticed our end."""
    if process.stdin is not None:
        process.stdin.close()


def _ready_file(service: ServiceSettings) -> Path:
    return service.home / STATE / "run" / f"{service.name}.json"


def serve(settings: ServerSettings) -> int:
    """Serve until told to stop; the exit code."""
    return Supervisor(settings).run()
