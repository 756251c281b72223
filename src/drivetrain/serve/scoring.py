"""Scores together whatever arrived in one turn of the event loop, and records it before anybody hears of it.

There is no timer: a request never waits for others. While a turn is scored, the requests of the next one arrive, so
turns grow with the load by themselves. A long request is scored in slices, one a turn, so that it delays nobody.
(A model that runs in processes of its own has another queue: ``calls``.)
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.crowd import Crowd
from drivetrain.serve.pace import Pace
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.settings import ServiceSettings
from drivetrain.serve.wording import Scored

SLICE = 512
"""Rows of a long request that are scored in one turn; a request with more rows is long."""
_PART_SECONDS = 0.02
_BRIEF_SECONDS = 0.01

Matrix = NDArray[np.float64]


class Request(ABC):
    """The rows of one request on their way. Each way into the server has its own kind.

    ``late`` is when the caller no longer waits (``time.perf_counter``). What is part of something ``long`` waits behind
    what is short. ``copies`` hear of the answer after the caller.
    """

    caller = ""
    late = math.inf
    long = False
    rows = Rows(b"", [], False)
    ended = False
    answers: list[Matrix]
    """Of a long request: what the model answered to the slices so far."""
    copies: Sequence[Copy] = ()
    alarm: asyncio.TimerHandle | None = None
    """What ends the request at ``late``, where the loop goes on while it is scored."""

    @abstractmethod
    def read(self, form: RowForm) -> Rows:
        """The rows as one release wants them; raises InvalidInput."""

    @abstractmethod
    def tell(self, result: Scored | Exception) -> None:
        """Answer the caller."""

    def end(self, result: Scored | Exception) -> None:
        """Answer the caller, once, then tell the copies."""
        if not self.ended:
            self.tell(result)
            self.ended = True
            if self.alarm is not None:
                self.alarm.cancel()
            for copy in self.copies:
                copy(self, result)


Copy = Callable[[Request, Scored | Exception], None]


class Scoring:
    """The queue in front of one release. Lives in one event loop."""

    def __init__(
        self, contender: Contender, settings: ServiceSettings, counts: Counts, crowd: Crowd | None = None
    ) -> None:
        self.waiting_rows = 0
        self.waiting_requests = 0
        self.contender = contender
        self._most = settings.max_waiting_requests
        self._settings = settings
        self._counts = counts
        self._crowd = crowd or Crowd()
        self._loop = asyncio.get_running_loop()
        self._short: list[Request] = []
        self._long: deque[Request] = deque()
        self._long_rows = 0
        self._scheduled = False
        self._retired = False
        self._pace = Pace(settings.deadline_seconds, contender.processes)

    @property
    def full(self) -> bool:
        """Whether a request that comes now would have to be refused.

        A burst may fill the queue. When more ask than it holds, with those who were just sent away, it is kept short:
        an eighth of it, or what takes 10 ms, but a sixteenth always. As many are answered, and none has waited long.
        """
        waiting, most, crowd = self.waiting_requests, self._most, self._crowd
        if not crowd.gone and waiting > most // 16 and waiting + crowd.size(time.perf_counter()) >= most:
            return waiting >= most // 8 or self._pace.seconds(self._rows_before()) > _BRIEF_SECONDS
        return waiting >= most or self._pace.is_late(self._rows_before())

    def _rows_before(self) -> int:
        """Those that are scored before a request that comes now: of what is long it waits for one slice at most."""
        long = self._long_rows
        return self.waiting_rows - long + min(long, SLICE) if long else self.waiting_rows

    def has_room(self, rows: int) -> bool:
        """Whether so many rows of something long could be queued now; where nothing waits they always can."""
        return not self.waiting_requests or (
            not self.full and self.waiting_rows + rows <= self._settings.max_waiting_rows
        )

    def part(self, most: int) -> int:
        """Rows that something long had better bring at a time: so many that nobody waits long behind them."""
        return min(most, self._settings.max_waiting_rows, self._pace.rows_within(_PART_SECONDS))

    def usual_seconds(self, rows: int) -> float:
        """How long so many rows take when nobody else waits, as was learned lately."""
        return self._pace.seconds(rows)

    def submit(self, request: Request) -> None:
        """Queue a request for the next turn; it hears in ``tell``.

        Raises Overloaded when too many rows wait. It is told InvalidInput when the model has no score for a row,
        Transient when the journal cannot be written or the deadline has passed.
        """
        rows = len(request.rows.entities)
        if self.waiting_rows + rows > self._settings.max_waiting_rows:
            self._counts.happened("overloaded")
            raise Overloaded
        self.waiting_rows += rows
        self.waiting_requests += 1
        if request.long or rows > SLICE:
            request.long = True
            request.answers = []
            self._long.append(request)
            self._long_rows += rows
        else:
            self._short.append(request)
        if not self._scheduled:
            self._schedule()

    def retire(self) -> None:
        """Let go of the release once nothing waits for it any more."""
        self._retired = True
        if not self.waiting_requests:
            self.contender.close()

    # --- turns -------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        requests, self._short = self._short, []
        if requests := self._in_time(requests):
            self._score(requests, None)
        if self._long:
            for request in self._in_time([self._long.popleft()]):
                self._score([request], len(request.answers))
        if self._short or self._long:
            self._schedule()

    def _in_time(self, requests: list[Request]) -> list[Request]:
        """Those who still wait for their answer; the others are told, unless they were."""
        now = time.perf_counter()
        if all(request.late > now and not request.ended for request in requests):
            return requests
        kept = []
        for request in requests:
            if request.late > now and not request.ended:
                kept.append(request)
            else:
                if not request.ended:
                    self._counts.happened("late")
                self._end(request, too_late())
        return kept

    def _score(self, requests: list[Request], part: int | None) -> None:
        """Score all rows of the requests, or slice number ``part`` of the only one."""
        rows = self._matrix(requests)
        wanted = rows if part is None else rows[part * SLICE :][:SLICE]
        began = time.perf_counter()
        try:
            self._settle(requests, part, rows, self.contender.score(wanted))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            self._fail(requests, error)
        self._pace.learn(len(wanted), time.perf_counter() - began)

    def _matrix(self, requests: list[Request]) -> Matrix:
        packed = [request.rows.packed for request in requests]
        content = packed[0] if len(packed) == 1 else b"".join(packed)
        return np.frombuffer(content, dtype=np.float64).reshape(-1, self.contender.width)

    # --- answers -----------------------------------------------------------------------------------------------

    def _settle(self, requests: list[Request], part: int | None, rows: Matrix, answer: Matrix) -> None:
        """Record the predictions, then answer the requests whose rows they are, in order."""
        if part is not None:
            (request,) = requests
            request.answers.append(answer)
            if len(request.answers) * SLICE < len(rows):
                self._long.append(request)
                return
            answer = np.concatenate(request.answers)
        contender, wording = self.contender, self.contender.wording
        said = wording.say(answer, rows)
        if not math.isfinite(sum(said.scores)):
            requests, known = self._refuse_unscored(requests, np.array(said.scores))
            rows = rows[known]
            said = wording.say(answer[known], rows)
        if not requests:
            return
        scores, decisions, outputs = said
        entities = [entity for request in requests for entity in request.rows.entities]
        callers = [request.caller for request in requests for _ in request.rows.entities]
        ids = contender.record(rows, said, entities, callers)
        self._counts.predicted(contender.name, len(scores), sum(decisions))
        if wording.counted:
            self._counts.said(contender.name, wording.tally(outputs))
        start, name, has_outputs = 0, contender.name, bool(wording.fields)
        for request in requests:
            end = start + len(request.rows.entities)
            its_outputs = outputs[start:end] if has_outputs else outputs
            scored = Scored(name, ids[start:end], scores[start:end], decisions[start:end], wording, its_outputs)
            self._end(request, scored)
            start = end

    def _refuse_unscored(self, requests: list[Request], scores: Matrix) -> tuple[list[Request], NDArray[np.bool_]]:
        """The requests that have all their scores, and which of the rows are theirs; the others are told which row."""
        answered, known, start = [], np.ones(len(scores), dtype=np.bool_), 0
        for request in requests:
            end = start + len(request.rows.entities)
            missing = np.flatnonzero(~np.isfinite(scores[start:end]))
            if len(missing):
                known[start:end] = False
                self._end(request, _unscored(int(missing[0])))
            else:
                answered.append(request)
            start = end
        return answered, known

    def _fail(self, requests: list[Request], error: Exception) -> None:
        for request in requests:
            if not request.ended:
                self._end(request, error)

    def _end(self, request: Request, result: Scored | Exception) -> None:
        request.end(result)
        self.waiting_requests -= 1
        self.waiting_rows -= len(request.rows.entities)
        if request.long:
            self._long_rows -= len(request.rows.entities)
        if self._retired and not self.waiting_requests:
            self.contender.close()


def _unscored(row: int) -> DrivetrainError:
    return InvalidInput(
        "row_unscorable",
        "the model has no score for this row",
        where=f"rows[{row}]",
        hint="look for values far outside of what /openapi.json gives as the usual range",
    )


def too_late() -> Transient:
    """The caller no longer waits for the answer."""
    return Transient(
        "deadline_passed",
        "this request waited too long",
        hint="ask again after Retry-After seconds, or allow more time",
    )
