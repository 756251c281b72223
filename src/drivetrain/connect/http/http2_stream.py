"""One request over HTTP/2 and its answer, within the windows that either side opens (RFC 9113, section 5)."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Protocol

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived

from drivetrain.connect.http.body import Body
from drivetrain.connect.http.head import Head
from drivetrain.connect.http.limits import Wire
from drivetrain.connect.http.messages import Answer, Exchange, Headers

HELD_BYTES = 256 * 1024
"""Of an answer in parts: more is not taken from who makes it while the caller does not read."""
LINGER_SECONDS = 2.0


class Link(Protocol):
    """The connection, as its streams see it."""

    wire: Wire
    h2: H2Connection
    writable: bool

    def flush(self) -> None:
        """Send what h2 has made of the answers."""
        ...

    def flush_soon(self) -> None:
        """The same, together with whatever is answered in this turn of the loop."""
        ...

    def forget(self, stream: Http2Stream) -> None:
        """Nothing more will come of a stream."""
        ...


class Http2Stream:
    """A request, and the channel of its answer.

    The connection drops a stream before h2 hears of anything else once the caller has reset it, so whatever is sent
    here is for a stream that is open.
    """

    __slots__ = ("_last", "_link", "_read_due", "_room", "_unread", "_unsent", "_write_due", "body", "ended",
                 "exchange", "number")  # fmt: skip

    def __init__(self, link: Link, number: int, head: Head) -> None:
        limits = link.wire.limits
        self.exchange = Exchange(self, head, time.perf_counter())
        self.body = Body(head.length, limits.max_body_bytes, framed=True)
        self.ended = False  # the whole answer is out
        self._link = link
        self.number = number
        self._unsent = bytearray()
        self._last = False  # nothing comes behind ``_unsent``
        self._read_due = link.wire.now + limits.body_seconds
        self._write_due = math.inf
        self._unread = 0  # of the body: what the caller must not send again before it was read
        self._room = asyncio.Event()

    @property
    def due(self) -> float:
        """When the caller must have done what is waited for."""
        return min(self._read_due, self._write_due)

    @property
    def held(self) -> int:
        """Bytes that are kept of the answer, and of a body that does not stream: the window bounds those that do."""
        return len(self._unsent) + (0 if self.exchange.streams else self.body.held)

    # --- the request -------------------------------------------------------------------------------------------

    def stream(self) -> None:
        """Let the handler read the body part by part; the caller has to be in time only while it waits for them."""
        self._read_due = math.inf
        self.body.limit, self.body.patience = math.inf, self._link.wire.limits.body_seconds
        self._link.wire.handler.handle(self.exchange)

    def receive(self, event: DataReceived) -> None:
        """A part of the body is here."""
        exchange, size = self.exchange, event.flow_controlled_length
        if self.ended or (exchange.answered and not exchange.begun):
            self._link.h2.acknowledge_received_data(size, self.number)
            return
        self.body.arrived(event.data, over=False)
        if exchange.streams:
            self._unread += size
            return
        self._link.h2.acknowledge_received_data(size, self.number)
        if self.body.size > self.body.limit:
            self.refuse(413, f"the body is larger than {self._link.wire.limits.max_body_bytes} bytes")

    def whole(self) -> None:
        """The body is over."""
        exchange = self.exchange
        self.body.arrived(b"", over=True)
        self._read_due = math.inf
        if self.ended:
            self._link.forget(self)
        elif not exchange.answered and not exchange.streams:
            exchange.body = self.body.joined()
            self._discard()
            self._link.wire.handler.handle(exchange)

    async def read(self, exchange: Exchange) -> bytes:
        """The next part of a streamed body; the caller may send as much again."""
        body, wire = self.body, self._link.wire
        if body.awaited:
            self._read_due = wire.now + body.patience
        part = await body.next()
        if exchange.gone:
            raise ConnectionResetError
        if self._read_due < math.inf:
            body.patience = wire.limits.body_seconds if body.progressed() else self._read_due - wire.now
            self._read_due = math.inf
        self._acknowledge(len(part) or self._unread)
        self._link.flush()
        return part

    def _discard(self) -> None:
        self.body.parts.clear()
        self.body.held = 0

    def _acknowledge(self, size: int) -> None:
        size = min(size, self._unread)
        if size:
            self._unread -= size
            self._link.h2.acknowledge_received_data(size, self.number)

    # --- the answer --------------------------------------------------------------------------------------------

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer."""
        bodyless = exchange.head.method == "HEAD" or answer.status == 204
        length = () if answer.status == 204 else (("content-length", str(len(answer.body))),)
        self._send_head(answer.status, answer.headers + length, end_stream=bodyless)
        self._last = True
        if bodyless:
            self._finish()
        else:
            self._unsent += answer.body
            self.pump()
        self._link.flush_soon()

    def begin(self, exchange: Exchange, status: int, headers: Headers) -> None:
        """Begin an answer that comes in parts."""
        self._send_head(status, headers)
        self._link.flush_soon()

    def go_on(self) -> None:
        """Tell the caller, who waits for that before they send the body."""
        self._link.h2.send_headers(self.number, [(":status", "100")])

    async def write(self, exchange: Exchange, part: bytes) -> None:
        """Send a part; waits while the caller is slow, or has not opened its window."""
        while not exchange.gone and len(self._unsent) > HELD_BYTES:
            self._room.clear()
            await self._room.wait()
        if exchange.gone:
            raise ConnectionResetError
        self._unsent += part
        self.pump()
        self._link.flush()

    def end(self, exchange: Exchange, *, whole: bool) -> None:
        """End an answer that came in parts."""
        if whole:
            self._last = True
            self.pump()
        else:
            self.reset(ErrorCodes.INTERNAL_ERROR)
        self._link.flush_soon()

    def pump(self) -> None:
        """Send as much of the answer as the caller's window lets through."""
        h2, moved = self._link.h2, False
        if self.ended:
            return
        while self._unsent and self._link.writable:
            room = min(h2.local_flow_control_window(self.number), h2.max_outbound_frame_size)
            if room <= 0:
                break
            part = bytes(self._unsent[:room])
            del self._unsent[:room]
            self.ended = self._last and not self._unsent
            h2.send_data(self.number, part, end_stream=self.ended)
            moved = True
        if not self._unsent and self._last:
            if not self.ended:
                h2.end_stream(self.number)
            self._finish()
        else:
            self._wait(moved)

    def _wait(self, moved: bool) -> None:
        """Give a caller who does not read so much time to read anything."""
        if not self._unsent:
            self._write_due = math.inf
        elif moved or self._write_due == math.inf:
            self._write_due = self._link.wire.now + self._link.wire.limits.write_seconds
        if len(self._unsent) <= HELD_BYTES:
            self._room.set()

    def _send_head(self, status: int, headers: Headers, *, end_stream: bool = False) -> None:
        lines = [(":status", str(status)), ("date", self._link.wire.date), *headers]
        self._link.h2.send_headers(self.number, lines, end_stream=end_stream)

    def _finish(self) -> None:
        """An answer is out. Who is still sending is heard out for a while: some take a reset for no answer at all."""
        self.ended, self._write_due = True, math.inf
        if self.body.over:
            self._link.forget(self)
        else:
            self._discard()
            self._acknowledge(self._unread)
            self._read_due = self._link.wire.now + LINGER_SECONDS

    # --- ends before its time ----------------------------------------------------------------------------------

    def overdue(self) -> None:
        """The caller was too slow."""
        if self.ended:
            self.reset(ErrorCodes.NO_ERROR)
        elif self._last or self._write_due <= self._link.wire.now:
            self.reset(ErrorCodes.CANCEL)
        elif self.exchange.streams:
            self._read_due = math.inf
            self.body.give_up()
        else:
            self.refuse(408, "the request took too long to arrive")

    def refuse(self, status: int, reason: str) -> None:
        """Answer what is no proper request, and hear no more of it."""
        answer = self._link.wire.handler.refuse(status, reason)
        self.exchange.answered = status
        self.send(self.exchange, answer._replace(headers=answer.headers + self.exchange.extra))
        self.exchange.leave()
        self._discard()

    def reset(self, code: ErrorCodes) -> None:
        """Break it off, so that the caller notices."""
        self._link.h2.reset_stream(self.number, code)
        self.drop()

    def drop(self) -> None:
        """The caller no longer waits for this answer."""
        self._acknowledge(self._unread)
        self.exchange.leave()
        self.body.arrived(b"", over=True)
        self._room.set()
        self._link.forget(self)
