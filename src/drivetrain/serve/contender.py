"""One release inside a worker: how its rows are read, its model, and the log of what it answered."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.serve.board import Pulse
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.rows import RowForm
from drivetrain.store.segments import PredictionLog

Matrix = NDArray[np.float64]
BLOCK = 512
"""Rows that are counted for drift together; one at a time would cost more than scoring them."""


class Contender:
    """A release that can answer. ``slot`` is its number in the worker's pulse."""

    def __init__(self, release: LoadedRelease, log: PredictionLog, ids: PredictionIds, pulse: Pulse, slot: int) -> None:
        self.release = release
        self.name = str(release.ref)
        self.form = RowForm(release.signature)
        self.threshold = release.threshold
        self.width = len(release.signature.inputs)
        self.processes = release.processes
        self.slot = slot
        self._log = log
        self._ids = ids
        self._pulse = pulse
        self._room = np.empty(BLOCK, log.dtype)  # most turns fit in: nothing is allocated for them
        self._fresh: list[tuple[Matrix, Sequence[float]]] = []
        self._fresh_rows = 0

    def score(self, rows: Matrix) -> Matrix:
        """The probability of each packed row: [n, F] -> [n]; NaN where the model has none.

        What code says of its failure may hold rows of other callers: it goes to the log, and its code to the caller.
        """
        if self.processes:
            try:
                return self.release.score(rows)
            except DrivetrainError as error:
                print(f"drivetrain serve: {self.name}: {error}", file=sys.stderr)  # noqa: T201 - a server's log
                family = InvalidInput if isinstance(error, InvalidInput) else Transient
                raise family(error.code, "the model failed", hint="the server's log says why") from None
        self._pulse.score_with(self.slot)
        scores = self.release.score(rows)
        self._pulse.score_with(0)
        return scores

    def record(
        self,
        rows: Matrix,
        scores: Sequence[float],
        decisions: Sequence[bool],
        entities: Sequence[bytes],
        callers: Sequence[str],
    ) -> list[str]:
        """Write n predictions to the log, all or none, and give their ids. Raises Transient."""
        count, log, micros = len(rows), self._log, time.time_ns() // 1000
        ids = self._ids.take(count, micros)
        indices = {name: log.caller(name) for name in dict.fromkeys(callers)}
        self._fresh.append((rows, scores))
        self._fresh_rows += count
        if self._fresh_rows >= BLOCK:
            self.count_live()
        if count == 1:
            said = scores[0], decisions[0]
            log.append_one(ids[0], micros, said, indices[callers[0]], entities[0], rows.tobytes())
            return [ids[0].decode()]
        records = self._room[:count] if count <= BLOCK else np.empty(count, log.dtype)
        records["id"] = ids
        records["at"] = micros
        records["score"] = scores
        records["decision"] = decisions
        records["caller"] = [indices[name] for name in callers] if len(indices) > 1 else indices[callers[0]]
        records["entity"] = entities
        records["row"] = rows
        log.append(records)
        return [name.decode() for name in ids]

    def count_live(self) -> None:
        """Count what was answered lately into the live distributions."""
        fresh, self._fresh, self._fresh_rows = self._fresh, [], 0
        if fresh:
            rows, scores = (np.concatenate(parts) for parts in zip(*fresh, strict=True))
            self.release.live.add(rows, np.asarray(scores, dtype=np.float64))

    def flush(self) -> None:
        """Write out what a buffered log holds back."""
        self._log.flush()

    def close(self) -> None:
        """Let go of the log and of the model's processes."""
        self._log.close()
        self.release.close()
