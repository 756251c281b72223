"""The queue in front of a model that runs in processes of its own: the loop goes on while they score.

Whatever waits when a process is free goes to it in one call; how many rows that may be is learned, so that callers are
answered before their deadline where the model can do it at all. Who waits longer is told so at their deadline, by
``Service``, even while a call is under way that has their rows in it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial
from typing import NamedTuple

import numpy as np

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.crowd import Crowd
from drivetrain.serve.scoring import SLICE, Matrix, Request, Scoring
from drivetrain.serve.settings import ServiceSettings


class Calls(Scoring):
    """The queue of one release; as many calls at a time as its model has processes."""

    def __init__(
        self, contender: Contender, settings: ServiceSettings, counts: Counts, crowd: Crowd | None = None
    ) -> None:
        super().__init__(contender, settings, counts, crowd)
        self._free = contender.processes
        self._parts: deque[list[Request]] = deque()  # of calls that failed: one row of theirs is to blame
        self._long_last = False

    @property
    def full(self) -> bool:
        """The same; but where every call takes its time, the deadline alone says how long the queue may be."""
        return self.waiting_requests >= self._settings.max_waiting_requests or self._pace.is_late(self._rows_before())

    def part(self, most: int) -> int:
        """Rows that something long had better bring at a time: those of a call."""
        return min(most, self._settings.max_waiting_rows, self._pace.most_rows)

    def _schedule(self) -> None:
        if self._free and (self._short or self._long or self._parts):
            super()._schedule()

    def _turn(self) -> None:
        """Hand what waits to a process that is free; long requests take turns with the short ones."""
        self._scheduled = False
        self._long_last = bool(self._long) and not (self._long_last and (self._short or self._parts))
        if self._long_last:
            for request in self._in_time([self._long.popleft()]):
                self._call([request], len(request.answers))
        elif requests := self._in_time(self._batch()):
            self._call(requests, None)
        self._schedule()

    def _batch(self) -> list[Request]:
        """Short requests for one call: as many rows as it may have, and no more than the share of a free process."""
        if self._parts:
            return self._parts.popleft()
        share, rows, count = -(-len(self._short) // self._free), 0, 0
        while count < share:
            rows += len(self._short[count].rows.entities)
            if count and rows > self._pace.most_rows:
                break
            count += 1
        requests, self._short = self._short[:count], self._short[count:]
        return requests

    def _call(self, requests: list[Request], part: int | None) -> None:
        """Ask for all rows of the requests, or for slice number ``part`` of the only one."""
        rows = self._matrix(requests)
        call = _Call(requests, part, rows, rows if part is None else rows[part * SLICE :][:SLICE], time.perf_counter())
        try:
            asked = self.contender.ask(call.wanted)
        except Transient as error:
            self._fail(requests, error)
            return
        self._free -= 1
        asked.add_done_callback(partial(self._called, call))

    def _called(self, call: _Call, asked: asyncio.Future[Matrix]) -> None:
        """A call is over: answer whoever still waits."""
        self._free += 1
        error = asked.exception()
        seconds = time.perf_counter() - call.began
        self._pace.learn_call(len(call.wanted), seconds, lost=isinstance(error, Transient))
        requests = self._in_time(call.requests)
        if isinstance(error, InvalidInput):
            self._part_company(requests, error)
        elif isinstance(error, Exception):
            self._fail(requests, error)
        elif requests:
            self._answer(call, requests, asked.result())
        self._schedule()

    def _answer(self, call: _Call, requests: list[Request], answer: Matrix) -> None:
        rows = call.rows
        if len(requests) < len(call.requests):
            counts = [len(request.rows.entities) for request in call.requests]
            awaited = np.repeat([not request.ended for request in call.requests], counts)
            rows, answer = rows[awaited], answer[awaited]
        try:
            self._settle(requests, call.part, rows, answer)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            self._fail(requests, error)

    def _part_company(self, requests: list[Request], error: InvalidInput) -> None:
        """One row that the model fails on must not cost the others of its call: each half is asked for again.

        What ends a process is not asked for again: it would only end the next.
        """
        if len(requests) < 2:
            self._fail(requests, error)
            return
        middle = len(requests) // 2
        self._parts.extend((requests[:middle], requests[middle:]))


class _Call(NamedTuple):
    """All ``rows`` of the requests, and the ``wanted`` ones: slice number ``part`` of a long request."""

    requests: list[Request]
    part: int | None
    rows: Matrix
    wanted: Matrix
    began: float
