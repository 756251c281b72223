"""A challenger that gets a copy of the traffic: its answers are recorded and compared, never returned.

It may take a share of the worker's time, counted in seconds of scoring, and works only when nobody waits for an
answer; what it cannot score within that share is left out, and counted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.ops.history import Places
from drivetrain.ops.metrics import Labels
from drivetrain.ops.saying import Said, other_class
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.rows import Rows
from drivetrain.serve.scoring import Matrix, Request
from drivetrain.serve.shares import Slice
from drivetrain.serve.wording import Scored
from drivetrain.store.segments import PAIR, PairLog

_BATCH = 32
_MOST_WAITING_ROWS = 4096
_SAVED_SECONDS = 0.1
"""Unused time is kept for a burst of at most this many seconds of scoring."""
_NO_ROWS: Matrix = np.empty((0, 0))


class _Batch(NamedTuple):
    """What the champion answered to some requests, and their rows as this release reads them.

    ``places`` are those of the champion's rows among them; -1 where each release finds rows of its own, and this one
    did not find that.
    """

    answers: list[Scored]
    rows: Matrix
    places: Places


_NOTHING = _Batch([], _NO_ROWS, np.empty(0, dtype=np.intp))


class Shadow:
    """One release in the champion's shadow. ``load`` is the share of the time that it may take, 0 to 1."""

    def __init__(self, contender: Contender, part: Slice, log: PairLog, counts: Counts, load: float) -> None:
        self.contender = contender
        self._part = part
        self._log = log
        self._counts = counts
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Request, Scored]] = deque()
        self._waiting_rows = 0
        self._credit = 0.0
        self._since = time.perf_counter()
        self._scheduled: asyncio.Handle | None = None
        self._closed = False

    def takes(self, rows: Rows) -> bool:
        """Whether a request belongs to its share."""
        return self._part.has(rows)

    def copy(self, request: Request, answered: Scored | Exception) -> None:
        """Take a copy of a request that was answered."""
        if isinstance(answered, Exception):
            return
        rows = len(answered.ids)
        if self._closed or self._waiting_rows + rows > _MOST_WAITING_ROWS:
            self._counts.happened("shadow_left_out", rows)
            return
        self._waiting.append((request, answered))
        self._waiting_rows += rows
        if self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._work)

    def close(self) -> None:
        """Stop; what waits is left out."""
        self._closed = True
        self._counts.happened("shadow_left_out", self._waiting_rows)
        self._waiting.clear()
        self._log.close()

    def _work(self) -> None:
        """Score what the time allows, then wait until there is time again."""
        if self._closed:
            return
        now = time.perf_counter()
        self._credit = min(_SAVED_SECONDS, self._credit + (now - self._since) * self._load)
        self._since = now
        batch = self._batch() if self._credit > 0 else _NOTHING
        if batch.answers and self.contender.processes:
            self.contender.ask(batch.rows).add_done_callback(partial(self._told, batch, now))
            return
        if batch.answers:
            self._compare(batch, partial(self.contender.score, batch.rows))
        self._pay(now)

    def _told(self, batch: _Batch, began: float, asked: asyncio.Future[Matrix]) -> None:
        """The same of a model in processes of its own: the loop went on, and its time counts all the same."""
        if self._closed:
            asked.exception()  # taken, or the loop complains of a failure that nobody asked for
            return
        self._compare(batch, asked.result)
        self._pay(began)

    def _pay(self, began: float) -> None:
        self._credit -= time.perf_counter() - began
        self._scheduled = None
        if self._waiting:
            wait = max(0.0, -self._credit / self._load)
            self._scheduled = self._loop.call_later(wait, self._work) if wait else self._loop.call_soon(self._work)

    def _batch(self) -> _Batch:
        packed: list[bytes] = []
        answers: list[Scored] = []
        places: list[int] = []
        rows = found = 0
        while self._waiting and rows < _BATCH:
            request, answered = self._waiting.popleft()
            self._waiting_rows -= len(answered.ids)
            rows += len(answered.ids)
            try:
                theirs = request.read(self.contender.form)
            except InvalidInput:  # the champion can read what this release cannot
                self._counts.happened("shadow_unreadable", len(answered.ids))
                continue
            packed.append(theirs.packed)
            answers.append(answered)
            places += _places(request.rows.entities, theirs.entities, found)
            found += len(theirs.entities)
        if not found:
            self._counts.happened("shadow_failed", sum(len(answered.ids) for answered in answers))
            return _NOTHING
        matrix = np.frombuffer(b"".join(packed)).reshape(-1, self.contender.width)
        return _Batch(answers, matrix, np.array(places, dtype=np.intp))

    def _compare(self, batch: _Batch, score: Callable[[], Matrix]) -> None:
        answers = batch.answers
        try:
            said = self.contender.wording.saying.say(score(), batch.rows)
            self._record(answers, said, batch.places)
        except DrivetrainError as error:  # of the model or of the journal: nobody waits for a shadow
            self._counts.happened("shadow_failed", sum(len(answered.ids) for answered in answers))
            print(f"drivetrain serve: shadow {self.contender.name}: {error}", file=sys.stderr)  # noqa: T201 - the log

    def _record(self, answers: list[Scored], said: Said, places: Places) -> None:
        missed = places < 0
        said = said.part(places)
        records = np.empty(len(said), PAIR)
        records["id"] = [name.encode() for answered in answers for name in answered.ids]
        records["at"] = time.time_ns() // 1000
        records["champion_score"] = [score for answered in answers for score in answered.scores]
        records["champion_decision"] = [decision for answered in answers for decision in answered.decisions]
        records["score"] = np.where(missed, np.nan, said.score)
        records["decision"] = said.decision & ~missed
        self._log.append(records)
        self._counts.happened("shadow_rows", len(said) - int(np.count_nonzero(missed)))
        self._counts.happened("shadow_failed", int(np.count_nonzero(missed)))
        unlike = (records["decision"] != records["champion_decision"]) | self._other_classes(answers, said)
        self._counts.happened("shadow_flipped", int(np.count_nonzero(unlike & ~missed)))

    def _other_classes(self, answers: list[Scored], said: Said) -> Labels:
        """Of which rows this release says another class than was answered."""
        parts, start = [], 0
        for answered in answers:  # perhaps by a challenger on trial, which has classes of its own
            theirs = answered.wording.saying.signature
            ours, end = self.contender.release.signature, start + len(answered.ids)
            other = other_class(theirs, ours, answered.outputs, said.outputs[start:end])
            parts.append(np.zeros(len(answered.ids), dtype=np.bool_) if other is None else other)
            start = end
        return np.concatenate(parts)


def _places(ours: Sequence[bytes], theirs: Sequence[bytes], start: int) -> Iterable[int]:
    """Where the champion's rows are among those of the shadow, which begin at ``start``; -1: nowhere.

    Only of lists of items each release finds rows of its own, and those have names.
    """
    if ours == theirs:
        return range(start, start + len(ours))
    known = {name: place for place, name in enumerate(theirs, start)}
    return [known.get(name, -1) for name in ours]
