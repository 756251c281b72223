"""The contest: everybody answers alike first, then everybody is asked in turns, round after round."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from drivetrain.ops.metrics import Numbers
from drivetrain.store.models import Scorer
from serving import formats
from serving.contestants import SERVERS, Contestant
from serving.model import Model, draw
from serving.running import SERVER_CORE, Place, Running, Unavailable, prepare, running
from serving.venvs import environment
from serving.wrk import Load, ask, script

BATCH = 1000
_BATCH_CONNECTIONS = 4
_TOLERANCE = 1e-6
_BEST_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """How long and how often to ask."""

    seconds: int
    rounds: int
    connections: int


@dataclass
class Measured:
    """What was found out about one contestant, a value a round; ``skipped`` says why there is nothing.

    ``arrow``: it takes Arrow IPC.
    """

    started: list[float] = field(default_factory=list)
    loads: dict[int, list[Load]] = field(default_factory=dict)
    json_rows: list[float] = field(default_factory=list)
    arrow_rows: list[float] = field(default_factory=list)
    skipped: str = ""
    arrow: bool = False


@dataclass(frozen=True)
class Contest:
    """The contestants' programs and measurements, by name, and rows a second that onnxruntime scores in process."""

    model: Model
    folder: Path
    places: dict[str, Place] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    in_process: list[float] = field(default_factory=list)

    def admit(self, contestant: Contestant, venvs: Path) -> None:
        """Install and start a contestant and see that it answers as the model does, or note why it is skipped."""
        found = self.measured[contestant.name] = Measured()
        with _reason(found):
            bin_folder = Path(sys.executable).parent
            if contestant.packages:
                bin_folder = environment(venvs, SERVERS / f"{contestant.packages}.txt")
            place = self.places[contestant.name] = Place(bin_folder, self.folder)
            prepare(contestant, place)
            with running(contestant, place, self.model.rows) as server:
                if contestant.format is not None:
                    _check(server, self.model, contestant.format)
                    found.arrow = contestant.arrow and _takes_arrow(server, self.model)

    def round(self, contestants: Sequence[Contestant], plan: Plan, *, first: bool) -> None:
        """Ask everybody once; the slow ones in the first round only."""
        for contestant in contestants:
            found = self.measured[contestant.name]
            if found.skipped or (contestant.slow and not first):
                continue
            _say(f"  {contestant.name}")
            place = self.places[contestant.name]
            with _reason(found), running(contestant, place, self.model.rows) as server:
                found.started.append(server.started_s)
                self._ask(server, found, plan)
        self.in_process.append(_rows_in_process(self.model))

    def _ask(self, server: Running, found: Measured, plan: Plan) -> None:
        contestant, rows = server.contestant, self.model.rows
        form = contestant.format or formats.DRIVETRAIN
        one = script(self.folder, server, form, rows[~np.isnan(rows).any(axis=1)][:1])
        ask(server, one, 1, 1)  # warms up
        for connections in (1, *contestant.connections, plan.connections):
            found.loads.setdefault(connections, []).append(self._load(server, one, connections, plan.seconds))
        if contestant.format is not None:
            found.json_rows.append(self._batches(server, contestant.format, plan))
        if found.arrow:
            found.arrow_rows.append(self._batches(server, formats.ARROW, plan))

    def _batches(self, server: Running, form: formats.Format, plan: Plan) -> float:
        """Rows a second in requests of 1,000 rows."""
        many = script(self.folder, server, form, self.model.rows[:BATCH])
        return self._load(server, many, _BATCH_CONNECTIONS, plan.seconds).rate * BATCH

    def _load(self, server: Running, file: Path, connections: int, seconds: int) -> Load:
        """What wrk sees once the server has worked off what the last load left behind."""
        server.answers(self.model.rows)
        return ask(server, file, connections, seconds)


@contextmanager
def _reason(found: Measured) -> Iterator[None]:
    """Note why a contestant does not take part any longer."""
    try:
        yield
    except Unavailable as error:
        found.skipped = str(error)
        _say(f"  skipped: {error}")


def _check(server: Running, model: Model, form: formats.Format) -> None:
    """Hold the server's scores against the pipeline's: single rows, some with missing values, and many at once."""
    rows = draw(100, seed=1)
    try:
        found = [score for row in rows[:20] for score in server.score(row[None], form)] + server.score(rows, form)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise Unavailable(f"did not answer {form.media_type}: {error!r}"[:200]) from error
    gap = np.abs(np.array(found) - model.score(np.vstack([rows[:20], rows]))).max()
    if not gap <= _TOLERANCE:
        raise Unavailable(f"answers differently: scores are off by up to {gap:.1e}")


def _takes_arrow(server: Running, model: Model) -> bool:
    try:
        _check(server, model, formats.ARROW)
    except Unavailable as error:
        _say(f"  without Arrow IPC: {error}")
        return False
    return True


def _rows_in_process(model: Model) -> float:
    """Rows a second that onnxruntime alone scores on one thread: the best of 32 and 1,000 rows a call."""
    scorer, usual = Scorer(model.graph), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        return max(_rate(scorer, model.rows, size) for size in (_BEST_BATCH, BATCH) for _ in range(2))
    finally:
        os.sched_setaffinity(0, usual)


def _rate(scorer: Scorer, rows: Numbers, size: int) -> float:
    began = time.perf_counter()
    for at in range(0, len(rows), size):
        scorer.score(rows[at : at + size])
    return len(rows) / (time.perf_counter() - began)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
