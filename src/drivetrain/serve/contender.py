"""One release inside a worker: how its rows are read, its model, and the log of what it answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.mishaps import Mishaps
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.rows import RowForm
from drivetrain.serve.wording import Spoken, Wording
from drivetrain.store.segments import PredictionLog

Matrix = NDArray[np.float64]
BLOCK = 1024
"""Rows that are counted for drift together; one at a time would cost more than scoring them."""


class Contender:
    """A release that can answer. ``slot`` is its number in the worker's pulse, ``form`` how it reads rows."""

    def __init__(
        self,
        release: LoadedRelease,
        log: PredictionLog,
        ids: PredictionIds,
        pulse: Pulse,
        slot: int,
        form: RowForm | None = None,
    ) -> None:
        self.release = release
        self.name = str(release.ref)
        self.form = form or RowForm(release.signature, release.encoders)
        self.wording = Wording(release.saying)
        self.width = len(release.signature.inputs)
        self.processes = release.processes
        self.slot = slot
        self._log = log
        self._ids = ids
        self._pulse = pulse
        self._room = np.empty(BLOCK, log.dtype)  # most turns fit in: nothing is allocated for them
        self._fresh: list[tuple[Matrix, Sequence[float], Matrix]] = []
        self._counts_outputs = bool(self.wording.fields and release.reference.outputs)
        self._fresh_rows = 0
        self._threads = ThreadPoolExecutor(self.processes, "score") if self.processes else None
        self._probe: Future[None] | None = None
        self._mishaps = Mishaps()
        self.closed = False

    def score(self, rows: Matrix) -> Matrix:
        """The model's answer to each packed row: [n, F] -> [n] or [n, K]; NaN where it has none. For the event loop.

        Of a model in processes of its own: see ``ask``.
        """
        self._pulse.score_with(self.slot)
        try:
            return self.release.score(rows)
        finally:
            self._pulse.score_with(0)

    def ask(self, rows: Matrix) -> asyncio.Future[Matrix]:
        """What a model in processes of its own says, while the loop goes on. Raises Transient when it was closed."""
        if self._threads is None or self.closed:
            raise Transient("model_closed", "this model was closed", hint="ask the release that serves now")
        return asyncio.get_running_loop().run_in_executor(self._threads, self.told, rows)

    def told(self, rows: Matrix) -> Matrix:
        """The answers, for whoever may wait in a thread: no pulse tells of it. Raises InvalidInput or Transient.

        What code says of its failure may hold rows of other callers: it goes to the log, and its code to the caller.
        """
        try:
            return self.release.score(rows)
        except DrivetrainError as error:
            self._mishaps.say(f"{self.name}: {error}")
            family = InvalidInput if isinstance(error, InvalidInput) else Transient
            raise family(error.code, "the model failed", hint="the server's log says why") from None

    def probe(self) -> None:
        """Ask a broken model for its typical row, beside everything else: one good answer mends it."""
        if self._threads is not None and not self.closed and (self._probe is None or self._probe.done()):
            self._probe = self._threads.submit(self._try)

    def _try(self) -> None:
        with suppress(DrivetrainError):  # broken it is, as everybody knows already
            self.release.score(self.release.typical[None])

    def record(self, rows: Matrix, said: Spoken, entities: Sequence[bytes], callers: Sequence[str]) -> list[str]:
        """Write n predictions to the log, all or none, and give their ids. Raises Transient."""
        count, log, micros = len(rows), self._log, time.time_ns() // 1000
        ids = self._ids.take(count, micros)
        indices = {name: log.caller(name) for name in dict.fromkeys(callers)}
        self._fresh.append((rows, said.scores, said.outputs))
        self._fresh_rows += count
        if self._fresh_rows >= BLOCK:
            self.count_live()
        if count == 1:
            both = said.scores[0], said.decisions[0]
            packed = rows.tobytes() + said.outputs.tobytes() if self.wording.fields else rows.tobytes()
            log.append_one(ids[0], micros, both, indices[callers[0]], entities[0], packed)
            return [ids[0].decode()]
        records = self._room[:count] if count <= BLOCK else np.empty(count, log.dtype)
        records["id"] = ids
        records["at"] = micros
        records["score"] = said.scores
        records["decision"] = said.decisions
        records["caller"] = [indices[name] for name in callers] if len(indices) > 1 else indices[callers[0]]
        records["entity"] = entities
        records["row"] = rows
        if self.wording.fields:
            records["outputs"] = said.outputs
        log.append(records)
        return [name.decode() for name in ids]

    def count_live(self) -> None:
        """Count what was answered lately into the live distributions."""
        fresh, self._fresh, self._fresh_rows = self._fresh, [], 0
        if fresh:
            rows, scores, outputs = (np.concatenate(parts) for parts in zip(*fresh, strict=True))
            said = outputs if self._counts_outputs else None
            self.release.live.add(rows, np.asarray(scores, dtype=np.float64), said)

    def flush(self) -> None:
        """Write out what a buffered log holds back."""
        self._log.flush()

    def close(self) -> None:
        """Let go of the log and of the model's processes."""
        self.closed = True
        self._log.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
        self.release.close()
