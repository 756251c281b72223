"""Any number of rows in one request, answered while they arrive, in the memory of a few hundred.

A stream belongs to the release that answers its first row. Its rows go to that release's queue for as long as the
release is loaded, which it is while it, or the one after it, is the champion; then the stream ends with an error, so
that no answer is given by two. A challenger on trial answers no streams; shadows get their copies.

Rows go through the same queue, journal, quota and counts as any others, but a few hundred at a time, behind whatever
is short; where there is no room the stream waits. Who does not take the answers is not asked for more rows.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Protocol

from drivetrain.connect.http.messages import Exchange, Headers
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.serve.answers import refusal
from drivetrain.serve.door import DEFECT, caller_of
from drivetrain.serve.mishaps import MISHAPS
from drivetrain.serve.predict import asks_to_explain
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request, too_late
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Scored, Wording

PART = 2048
"""Rows of a stream that are recorded and answered together at most."""
_AT_A_TIME = 4
"""Parts of all streams of a service that may be in the queue: the other places are for those who ask shortly."""
_AGAIN_SECONDS = 0.005
_PLACE = re.compile(r"rows\[(\d+)\]")


class Block(Protocol):
    """Some neighbouring rows as they came."""

    def read(self, form: RowForm) -> Rows:
        """The rows as one release wants them; raises InvalidInput, ``rows[0]`` being the first."""
        ...

    def cut(self, start: int, end: int) -> Block:
        """Some of them."""
        ...


class Language(Protocol):
    """How the answers of one media type are written."""

    @property
    def headers(self) -> Headers:
        """Those of the answer."""
        ...

    def opening(self, scored: Scored) -> bytes:
        """What stands before the first answer."""
        ...

    def said(self, scored: Scored) -> bytes:
        """The answers to some rows."""
        ...

    def ending(self, problem: DrivetrainError | None, wording: Wording) -> tuple[bytes, bool]:
        """What stands behind the last answer of a release, and whether the answer is to be taken for whole."""
        ...


class Streams:
    """Opens the streams of one service, and keeps them in line."""

    def __init__(self, service: Service, language: Language) -> None:
        self.service = service
        self.language = language
        self.places = asyncio.Semaphore(_AT_A_TIME)

    def open(self, exchange: Exchange) -> Stream:
        """A stream that begins with this release. Raises Transient when nothing answers, InvalidInput."""
        if exchange.head.query and asks_to_explain(exchange.head.query):
            raise InvalidInput(
                "query_invalid", "a stream gives no reasons", where="explain", hint="ask for them in application/json"
            )
        return Stream(self, exchange)


class Stream:
    """One exchange that brings rows and takes answers part by part."""

    def __init__(self, streams: Streams, exchange: Exchange) -> None:
        self.exchange = exchange
        self.rows = 0
        self._streams = streams
        self._service = streams.service
        self._lineup = self._service.standing()
        self._champion = self._lineup.champion
        self._caller = caller_of(exchange)
        self._late = self._service.end_of_patience(exchange)

    @property
    def form(self) -> RowForm:
        """How the release of this stream reads rows."""
        return self._champion.contender.form

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Let ``work`` hand over the rows; whatever it raises ends the answer."""
        self.exchange.run(self._guarded(work))

    async def answer(self, block: Block) -> None:
        """Score some rows and send the answers; when a row is wrong, those before it, and raise the error."""
        try:
            rows = block.read(self.form)
        except InvalidInput as error:
            if wrong := _row(error):
                await self.answer(block.cut(0, wrong))
            raise _moved(error, self.rows - wrong) from None
        start, count = 0, len(rows.entities)
        while start < count:
            end = min(count, start + self._champion.part(PART))
            await self._answer_part(rows.cut(start, end), block.cut(start, end))
            start = end

    async def _answer_part(self, rows: Rows, block: Block) -> None:
        try:
            scored = await self._score(_Part(rows, block))
        except InvalidInput as error:  # the model has no score for one of them
            if wrong := _row(error):
                await self._answer_part(rows.cut(0, wrong), block.cut(0, wrong))
            raise _moved(error, self.rows - wrong) from None
        language = self._streams.language
        said = language.said(scored)
        if not self.exchange.begun:
            self.exchange.begin(200, (*language.headers, ("x-drivetrain-release", scored.release)))
            said = language.opening(scored) + said
        self.rows += len(scored.ids)
        await self.exchange.write(said)

    async def _score(self, part: _Part) -> Scored:
        self._caller.charge(len(part.rows.entities))
        part.caller, part.late = self._caller.name, self._late
        async with self._streams.places:
            self._check()
            while not self._champion.has_room(len(part.rows.entities)):
                await asyncio.sleep(_AGAIN_SECONDS)
                self._check()
            self._lineup.submit(part)
            return await part.scored

    def _check(self) -> None:
        """Raise Transient when this stream cannot go on."""
        self._service.standing()
        if not self._service.has(self._champion.contender):
            raise Transient(
                "release_gone",
                f"{self._champion.contender.name}, with which this stream began, answers no more",
                hint="send the rows that have no answer again; another release answers them",
            )
        if time.perf_counter() >= self._late:
            raise too_late()

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await self._end(await self._problem(work))
        except ConnectionResetError:  # the caller has gone
            pass
        except Exception as error:  # noqa: BLE001 - the process boundary: a defect of ours ends one request, no more
            MISHAPS.tell(error)
            if self.exchange.begun:
                self.exchange.end(whole=False)
            else:
                self.exchange.answer(refusal(DEFECT))

    async def _problem(self, work: Coroutine[None, None, None]) -> DrivetrainError | None:
        """Why ``work`` did not come to its end, if it did not."""
        try:
            await work
            self._require_rows()
        except DrivetrainError as error:
            return error
        except TimeoutError:
            return _too_slow()
        return None

    def _require_rows(self) -> None:
        if not self.rows:
            raise InvalidInput("rows_missing", "there is no row to predict", where="rows", hint="send at least one")

    async def _end(self, problem: DrivetrainError | None) -> None:
        """End the answer; as long as nothing was said, a problem is a plain error."""
        last, whole = self._streams.language.ending(problem, self._champion.contender.wording)
        if self.exchange.begun:
            await self.exchange.write(last)
            self.exchange.end(whole=whole)
        elif problem is not None:
            self.exchange.answer(refusal(problem))


class _Part(Request):
    """Rows of a stream on their way; ``scored`` is what became of them."""

    long = True

    def __init__(self, rows: Rows, block: Block) -> None:
        self.rows = rows
        self.scored: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
        self._block = block

    def read(self, form: RowForm) -> Rows:
        return self._block.read(form)

    def tell(self, result: Scored | Exception) -> None:
        if self.scored.done():  # the caller has gone
            return
        if isinstance(result, Exception):
            self.scored.set_exception(result)
        else:
            self.scored.set_result(result)


def _too_slow() -> InvalidInput:
    return InvalidInput(
        "request_too_slow", "no row came for too long", where="request", hint="send rows, or end the stream"
    )


def _row(error: InvalidInput) -> int:
    """The number of the row that is wrong; 0 when no row is."""
    place = _PLACE.match(error.where)
    return int(place[1]) if place else 0


def _moved(error: InvalidInput, start: int) -> InvalidInput:
    """The same error, its ``rows[3]`` counted from the first row of the request."""
    if place := _PLACE.match(error.where):
        error.where = f"rows[{int(place[1]) + start}]{error.where[place.end() :]}"
    return error
