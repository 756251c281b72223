"""Scores together whatever arrived in one turn of the event loop, and records it before anybody hears of it.

There is no timer: a request never waits for others. While a turn is scored, the requests of the next one arrive, so
turns grow with the load by themselves. A long request is scored in slices, one a turn, so that it delays nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.metrics import Metrics
from drivetrain.store.segments import PredictionLog

SLICE = 512
"""Rows of a long request that are scored in one turn; a request with more rows is long."""


Matrix = NDArray[np.float64]


class Scored(NamedTuple):
    """What the model said of the rows of one request, [n] each. It is recorded already."""

    ids: list[str]
    scores: list[float]
    decisions: list[bool]


class Scoring:
    """The queue in front of one release. Lives in one event loop."""

    def __init__(self, release: LoadedRelease, log: PredictionLog, metrics: Metrics, max_waiting_rows: int) -> None:
        self.waiting_rows = 0
        self._release = release
        self._log = log
        self._metrics = metrics
        self._limit = max_waiting_rows
        self._ids = PredictionIds()
        self._loop = asyncio.get_running_loop()
        self._short: list[_Request] = []
        self._long: deque[_Request] = deque()
        self._scheduled = False

    def submit(self, packed: bytes, entities: list[bytes], caller: str) -> asyncio.Future[Scored]:
        """Queue the packed rows (float64 [n, F]) of a request for the next turn.

        Raises Transient when too many rows wait. The future raises InvalidInput when the model has no score for a row,
        Transient when the journal cannot be written.
        """
        rows = len(entities)
        if self.waiting_rows + rows > self._limit:
            raise Transient("overloaded", "too many rows are waiting", hint="ask again after Retry-After seconds")
        self.waiting_rows += rows
        request = _Request(packed, entities, caller, self._loop.create_future())
        if rows > SLICE:
            self._long.append(request)
        else:
            self._short.append(request)
        self._schedule()
        return request.answer

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        requests, self._short = self._short, []
        if requests:
            self._attempt(self._score_all, requests)
        if self._long:
            self._attempt(self._score_slice, [self._long.popleft()])
        if self._short or self._long:
            self._schedule()

    def _attempt(self, step: Callable[[list[_Request]], None], requests: list[_Request]) -> None:
        try:
            step(requests)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            for request in requests:
                self._end(request, error)

    def _score_all(self, requests: list[_Request]) -> None:
        rows = self._matrix(b"".join([request.packed for request in requests]))
        self._settle(requests, rows, self._release.score(rows))

    def _score_slice(self, requests: list[_Request]) -> None:
        (request,) = requests
        rows = self._matrix(request.packed)
        request.scores.append(self._release.score(rows[len(request.scores) * SLICE :][:SLICE]))
        if len(request.scores) * SLICE < len(rows):
            self._long.append(request)
        else:
            self._settle(requests, rows, np.concatenate(request.scores))

    def _matrix(self, packed: bytes) -> Matrix:
        return np.frombuffer(packed, dtype=np.float64).reshape(-1, len(self._release.signature.inputs))

    def _settle(self, requests: list[_Request], rows: Matrix, scores: Matrix) -> None:
        """Record the predictions, then answer the requests whose rows they are, in order."""
        if not np.isfinite(scores).all():
            requests, known = self._refuse_unscored(requests, scores)
            rows, scores = rows[known], scores[known]
        if not requests:
            return
        decisions = scores >= self._release.threshold
        ids = self._record(requests, rows, scores, decisions)
        self._metrics.predicted(len(scores), int(np.count_nonzero(decisions)))
        names, values, decided = [name.decode() for name in ids], scores.tolist(), decisions.tolist()
        start = 0
        for request in requests:
            end = start + len(request.entities)
            self._end(request, Scored(names[start:end], values[start:end], decided[start:end]))
            start = end

    def _record(
        self, requests: list[_Request], rows: Matrix, scores: Matrix, decisions: NDArray[np.bool_]
    ) -> list[bytes]:
        micros = time.time_ns() // 1000
        ids = self._ids.take(len(rows), micros)
        records = np.empty(len(rows), self._log.dtype)
        records["id"] = ids
        records["at"] = micros
        records["score"] = scores
        records["decision"] = decisions
        records["caller"] = [self._log.caller(request.caller) for request in requests for _ in request.entities]
        records["entity"] = [entity for request in requests for entity in request.entities]
        records["row"] = rows
        self._log.append(records)
        return ids

    def _refuse_unscored(self, requests: list[_Request], scores: Matrix) -> tuple[list[_Request], NDArray[np.bool_]]:
        """The requests that have all their scores, and which of the rows are theirs; the others are told which row."""
        answered, known, start = [], np.ones(len(scores), dtype=np.bool_), 0
        for request in requests:
            end = start + len(request.entities)
            missing = np.flatnonzero(~np.isfinite(scores[start:end]))
            if len(missing):
                known[start:end] = False
                self._end(request, _unscored(int(missing[0])))
            else:
                answered.append(request)
            start = end
        return answered, known

    def _end(self, request: _Request, result: Scored | Exception) -> None:
        if request.ended:
            return
        request.ended = True
        self.waiting_rows -= len(request.entities)
        if request.answer.done():  # the caller has gone
            return
        if isinstance(result, Scored):
            request.answer.set_result(result)
        else:
            request.answer.set_exception(result)


def _unscored(row: int) -> InvalidInput:
    return InvalidInput(
        "row_unscorable",
        "the model has no score for this row",
        where=f"rows[{row}]",
        hint="look for values far outside of what /openapi.json gives as the usual range",
    )


class _Request:
    """The rows of one request on their way; ``scores`` are those of the slices so far."""

    __slots__ = ("answer", "caller", "ended", "entities", "packed", "scores")

    def __init__(self, packed: bytes, entities: list[bytes], caller: str, answer: asyncio.Future[Scored]) -> None:
        self.packed = packed
        self.entities = entities
        self.caller = caller
        self.answer = answer
        self.ended = False
        self.scores: list[Matrix] = []
