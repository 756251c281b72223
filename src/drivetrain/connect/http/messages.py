"""A request on its way to its answer, whatever version of HTTP it came in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import NamedTuple, Protocol

from drivetrain.connect.http.head import Head

Headers = tuple[tuple[str, str], ...]
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Answer(NamedTuple):
    """A whole answer. The length of the body, the date and the connection are told by who sends it."""

    status: int
    headers: Headers
    body: bytes


class Channel(Protocol):
    """The way back: one stream of a connection."""

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer."""
        ...

    def begin(self, exchange: Exchange, status: int, headers: Headers) -> None:
        """Begin an answer that comes in parts."""
        ...

    async def write(self, exchange: Exchange, part: bytes) -> None:
        """Send a part; waits while the caller is slow. Raises ConnectionResetError when the caller has gone."""
        ...

    def end(self, exchange: Exchange, *, whole: bool) -> None:
        """End an answer that came in parts; one that is not ``whole`` is broken off so that the caller notices."""
        ...

    async def read(self, exchange: Exchange) -> bytes:
        """The next part of the body, empty at its end.

        Raises ConnectionResetError when the caller has gone, TimeoutError when they are too slow.
        """
        ...


class Exchange:
    """One request and its answer. ``body`` is whole unless the handler asked for a stream (``streams``).

    ``settled`` is called once the answer is out. What most exchanges never change is a default of the class.
    """

    body = b""
    answered = 0
    """The status of the answer, once there is one."""
    begun = False
    dismissed = False
    """It is not to be handled: its answer, a refusal, comes in a moment."""
    streams = False
    gone = False
    extra: Headers = ()
    """Headers of the answer, whatever it is."""
    caller: object = None
    plan: object = None
    settled: Callable[[Exchange], None] | None = None
    task: asyncio.Task[None] | None = None

    def __init__(self, channel: Channel, head: Head, started: float) -> None:
        self.channel = channel
        self.head = head
        self.started = started

    def answer(self, answer: Answer) -> None:
        """Send the answer; nothing happens when there was one, or when the caller has gone."""
        if self.answered or self.gone:
            return
        self.answered = answer.status
        if self.extra:
            answer = answer._replace(headers=answer.headers + self.extra)
        self.channel.send(self, answer)
        if self.settled is not None:
            self.settled(self)

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in parts."""
        if not self.gone:
            self.answered, self.begun = status, True
            self.channel.begin(self, status, headers + self.extra)

    async def write(self, part: bytes) -> None:
        """Send a part of the answer; waits while the caller is slow. Raises ConnectionResetError."""
        await self.channel.write(self, part)

    def end(self, *, whole: bool = True) -> None:
        """End an answer that came in parts."""
        if not self.gone:
            self.channel.end(self, whole=whole)
            if self.settled is not None:
                self.settled(self)

    async def read(self) -> bytes:
        """The next part of a streamed body, empty at its end.

        Raises ConnectionResetError when the caller has gone, TimeoutError when they are too slow.
        """
        return await self.channel.read(self)

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Let ``work`` answer; it is cancelled when the caller goes."""
        self.task = asyncio.get_running_loop().create_task(work)

    def leave(self) -> None:
        """The caller has gone."""
        self.gone = True
        if self.task is not None:
            self.task.cancel()


class Handler(Protocol):
    """Who answers requests. Both calls return at once; the answer may come later."""

    def open(self, exchange: Exchange) -> None:
        """The head is here: refuse by answering, or ask for a stream by setting ``exchange.streams``."""
        ...

    def handle(self, exchange: Exchange) -> None:
        """The body is here as well, or begins to arrive when a stream was asked for."""
        ...

    def refuse(self, status: int, reason: str) -> Answer:
        """The answer to what never became a request."""
        ...
