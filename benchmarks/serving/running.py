"""A server as a group of processes on one core, asked until it answers well, and stopped with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from drivetrain.ops.metrics import Numbers
from serving.contestants import SERVERS, Contestant
from serving.formats import Format

SERVER_CORE, LOAD_CORE = 0, 1
_START_WITHIN_S = 120.0
_STOP_WITHIN_S = 20.0
_ANSWER_WITHIN_S = 30.0
_ASK_EVERY_S = 0.02
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""One thread, and nobody calls home."""


class Unavailable(Exception):
    """A contestant cannot be measured here."""


@dataclass(frozen=True)
class Place:
    """Where a contestant finds its programs (``bin``) and the model (``folder``)."""

    bin: Path
    folder: Path


@dataclass(frozen=True)
class Running:
    """A server that answered well, ``started_s`` seconds after its command was given; ``pid`` leads its session."""

    contestant: Contestant
    port: int
    started_s: float
    pid: int

    @property
    def url(self) -> str:
        """Where to send rows."""
        return f"http://127.0.0.1:{self.port}{self.contestant.path}"

    def score(self, rows: Numbers, form: Format) -> list[float]:
        """The scores of rows [n, 24], asked for in one request."""
        headers = {"Content-Type": form.media_type, **self.contestant.headers}
        request = urllib.request.Request(self.url, form.body(rows), headers)
        with urllib.request.urlopen(request, timeout=_ANSWER_WITHIN_S) as answer:
            return form.scores(answer.read())

    def answers(self, rows: Numbers) -> bool:
        """Whether it scores the first of ``rows`` [n, 24]; one that answers a constant, whether it answers."""
        form = self.contestant.format
        try:
            if form is None:
                return urllib.request.urlopen(self.url, b"{}", timeout=_ANSWER_WITHIN_S).status == 200
            return len(self.score(rows[:1], form)) == 1
        except (OSError, HTTPException):
            return False


def prepare(contestant: Contestant, place: Place) -> None:
    """What the contestant does once, before it can be started. Raises Unavailable."""
    if contestant.prepare:
        filled = _Filled(contestant, place, 0)
        done = subprocess.run(
            [filled.fill(word) for word in contestant.prepare.split()],
            env=filled.environment(),
            cwd=SERVERS,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Unavailable(f"not prepared: {_last_line(done.stderr)}")


@contextmanager
def running(contestant: Contestant, place: Place, rows: Numbers) -> Iterator[Running]:
    """Start the server and wait until it scores the first of ``rows``. Raises Unavailable when it does not."""
    port = contestant.port or free_port()
    filled = _Filled(contestant, place, port)
    log = place.folder / "server.log"
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *map(filled.fill, contestant.command)],
            env=filled.environment(),
            cwd=SERVERS,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not Running(contestant, port, 0.0, process.pid).answers(rows):
            if process.poll() is not None or time.perf_counter() - began > _START_WITHIN_S:
                raise Unavailable(f"not started: {_last_line(log.read_text())}")
            time.sleep(_ASK_EVERY_S)
        yield Running(contestant, port, time.perf_counter() - began, process.pid)
    finally:
        _stop(process)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class _Filled:
    """The command lines and variables of a contestant at its place."""

    contestant: Contestant
    place: Place
    port: int

    def environment(self) -> Mapping[str, str]:
        own = {name: self.fill(value) for name, value in self.contestant.variables.items()}
        path = f"{self.place.bin}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **_QUIET, "PATH": path, **own}

    def fill(self, text: str) -> str:
        known = {"bin": self.place.bin, "folder": self.place.folder, "port": self.port}
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text.replace("{spare}", str(free_port())) if "{spare}" in text else text


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The server ends as it was told to; what is left of its group then is ended."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["it said nothing"]
    return lines[-1][:200]
