"""A running Drivetrain and the means to load it: what the soak and the overload begin with."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from serving import formats
from serving.contestants import ours
from serving.load import Answers, Callers, requests_to
from serving.model import draw, train
from serving.project import SERVICE, make_project
from serving.running import LOAD_CORE, Place, Running, free_port, running

CONNECTIONS = 64
_BODIES = 64
_CAPACITY_S = 5.0


@dataclass
class Rig:
    """A server, and requests to it; ``accepted`` counts the predictions that it has acknowledged."""

    home: Path
    server: Running
    requests: list[bytes]
    rows: int
    log: Path
    _running: ExitStack
    accepted: int = 1  # it was asked for a first good answer

    def ask(self, seconds: float, connections: int = CONNECTIONS, rate: float | None = None) -> Answers:
        """Load the server, in an open loop when there is a rate."""
        with Callers(("127.0.0.1", self.server.port), self.requests, connections) as callers:
            answers = callers.ask(seconds, rate)
        self.accepted += int(answers.accepted.sum()) * self.rows
        return answers

    def capacity(self) -> float:
        """Requests a second that it answers to callers who always ask again."""
        self.ask(1.0)
        return float(self.ask(_CAPACITY_S).accepted.sum()) / _CAPACITY_S

    def stop(self) -> None:
        """Let the server end: what it has recorded is in the lake then. What it told its log is shown."""
        self._running.close()
        told = [line for line in self.log.read_text().splitlines() if " answers at " not in line]
        print("\n".join(told[-20:]))

    def recorded(self) -> int:
        """Predictions in the lake."""
        with Catalog(self.home) as catalog:
            return int(Table(catalog.table_path("predictions", SERVICE)).dataset().count_rows())


@contextmanager
def rig(rows: int = 1) -> Iterator[Rig]:
    """Drivetrain with everything on, on core 0; requests bring ``rows`` rows each. This process moves to core 1."""
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory() as scratch:
        folder, model = Path(scratch), train()
        home = folder / "project"
        key = make_project(home, model.content)
        contestant, _ = ours(home, key, free_port())
        headers = {"Content-Type": formats.DRIVETRAIN.media_type, **contestant.headers}
        requests = requests_to(contestant.path, headers, _bodies(rows))
        place = Place(Path(sys.executable).parent, folder)
        with ExitStack() as stack:
            server = stack.enter_context(running(contestant, place, model.rows))
            yield Rig(home, server, requests, rows, folder / "server.log", stack)


def _bodies(rows: int) -> list[bytes]:
    drawn = draw(_BODIES * rows, seed=2)
    return [formats.DRIVETRAIN.body(drawn[at : at + rows]) for at in range(0, len(drawn), rows)]
