"""HTTP/1.1 over one connection: one request at a time, in order, each with its limits of size and time."""

from __future__ import annotations

import asyncio
import math
import time
from typing import cast

from drivetrain.connect.http.body import Body
from drivetrain.connect.http.chunks import BadChunk
from drivetrain.connect.http.head import END, BadHead, Head
from drivetrain.connect.http.http2 import PREFACE, Http2Connection
from drivetrain.connect.http.limits import Wire
from drivetrain.connect.http.messages import Answer, Exchange, Headers

_HELD_BYTES = 256 * 1024
"""Of a body that streams, or of requests behind the one that is answered: more is not read from the caller."""
_LINGER_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One caller. ``due`` is when the caller must have done what is waited for, in the loop's time."""

    def __init__(self, wire: Wire) -> None:
        self.due = math.inf
        self._awaited = math.inf  # when the next part of a body that streams must be here
        self._wire = wire
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._exchange: Exchange | None = None
        self._body: Body | None = None  # what has not arrived yet of the body of ``_exchange``
        self._lasting = True
        self._closing = False
        self._reading = True
        self._writable: asyncio.Event | None = None  # there while the caller is slow to take what is sent
        self._unsent = 0

    # --- what the loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not say that they are
        self.due = self._wire.now + self._wire.limits.idle_seconds
        self._transport.set_write_buffer_limits(_HELD_BYTES)
        self._wire.connections.add(self)
        agreed = transport.get_extra_info("ssl_object")
        if agreed is not None and agreed.selected_alpn_protocol() == "h2":
            self._speak_http2()
        elif len(self._wire.connections) > self._wire.limits.max_connections:
            self._break_off(503, "too many connections")

    def connection_lost(self, error: Exception | None) -> None:
        """The caller has gone, or was sent away."""
        self._wire.connections.discard(self)
        self._closing = True
        if self._writable is not None:
            self._writable.set()
        if self._body is not None:
            self._body.arrived(b"", over=True)
        if self._exchange is not None:
            self._exchange.leave()

    def data_received(self, data: bytes) -> None:
        """Bytes from the caller, most often one whole request."""
        if self._exchange is None and not self._buffer and self._writable is None and not self._closing:
            end = data.find(END) + len(END)
            if end >= len(END):
                head = self._wire.heads.known.get(data[:end])
                if head is not None and head.length == len(data) - end:
                    self._take(head, data[end:])
                    return
        if not self._closing:
            self._buffer += data
            self._advance()

    def pause_writing(self) -> None:
        """The caller does not take what is sent."""
        self._writable = asyncio.Event()
        self._unsent = self._transport.get_write_buffer_size()
        self.due = self._wire.now + self._wire.limits.write_seconds

    def resume_writing(self) -> None:
        """The caller takes it again."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self._unsent = 0
            now, limits = self._wire.now, self._wire.limits
            if self._awaited < math.inf:
                self._awaited = now + limits.body_seconds
            self.due = self._awaited if self._exchange is not None else now + limits.idle_seconds
            if self._closing:
                self._linger()
            self._advance()

    def eof_received(self) -> bool:
        """The caller sends no more; what was asked is still answered."""
        if self._exchange is None or (self._body is not None and not self._body.over):
            return False
        self._lasting = False
        return True

    # --- what the sweep calls ----------------------------------------------------------------------------------

    def overdue(self) -> None:
        """The caller was too slow: an idle one is let go, one in the middle of a request is told so."""
        if (unsent := self._transport.get_write_buffer_size()) < self._unsent:  # slow, but the caller takes it
            self._unsent, self.due = unsent, self._wire.now + self._wire.limits.write_seconds
            return
        begun = self._exchange is not None or bool(self._buffer)
        answered = self._exchange is not None and self._exchange.answered
        if answered and self._awaited < math.inf and self._body is not None and self._writable is None:
            self.due = math.inf
            self._body.give_up()
        elif begun and not answered and not self._closing and self._writable is None:
            self._break_off(408, "the request took too long to arrive")
        else:
            self._transport.abort()

    def drain(self) -> None:
        """Take no more requests; close once the answer is out."""
        self._lasting = False
        if self._exchange is None and not self._buffer:  # nothing is on its way that a reset could overtake
            self._closing = True
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # --- requests ----------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Do what can be done with the bytes that are here."""
        while self._buffer and not self._closing and self._writable is None:
            if self._exchange is None:
                if not self._read_head():
                    break
            elif self._body is not None and not self._body.over:
                self._read_body(self._exchange, self._body)
            else:  # what is here belongs to the next request
                break
        self._hold()

    def _speak_http2(self) -> None:
        """Hand the caller over: they agreed on HTTP/2 (ALPN), or began with its preface."""
        self._wire.connections.discard(self)
        self._closing = True
        successor = Http2Connection(self._wire)
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        if self._buffer:
            successor.data_received(bytes(self._buffer))

    def _read_head(self) -> bool:
        """Take a head from the buffer; False when it is not whole."""
        if self._buffer.startswith(PREFACE):
            self._speak_http2()
            return False
        if self._buffer.startswith(b"\r\n"):  # RFC 9112, section 2.2: an empty line before a request is no harm
            del self._buffer[:2]
            return bool(self._buffer)
        end = self._buffer.find(END, 0, self._wire.limits.max_header_bytes) + len(END)
        if end < len(END):
            if len(self._buffer) >= self._wire.limits.max_header_bytes:
                self._break_off(431, f"the head is larger than {self._wire.limits.max_header_bytes} bytes")
            elif not self._buffer[:1].isupper() and self._buffer != b"\r":
                self._break_off(400, "this is not HTTP: a request begins with a method")
            elif self.due > (latest := self._wire.now + self._wire.limits.head_seconds):
                self.due = latest
            return False
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        try:
            head = self._wire.heads.read(raw)
        except BadHead as error:
            self._break_off(error.status, error.reason)
            return False
        size = len(self._buffer) if head.length is None else head.length
        if head.length is not None and len(self._buffer) >= size:
            body = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._take(head, body)
        else:
            self._expect(head)
        return True

    def _take(self, head: Head, body: bytes) -> None:
        """A whole request is here."""
        self.due = math.inf
        exchange = self._exchange = Exchange(self, head, time.perf_counter())
        self._lasting = head.lasting and not self._wire.draining
        handler = self._wire.handler
        handler.open(exchange)
        if exchange.answered or exchange.dismissed:
            return
        if exchange.streams:
            self._body = Body(0, 0)
            self._body.arrived(body, over=True)
        else:
            exchange.body = body
        handler.handle(exchange)

    def _expect(self, head: Head) -> None:
        """The head of a request is here, and its body is not yet."""
        limits = self._wire.limits
        self.due = self._wire.now + limits.body_seconds
        exchange = self._exchange = Exchange(self, head, time.perf_counter())
        self._lasting = head.lasting and not self._wire.draining
        self._body = Body(head.length, limits.max_body_bytes)
        self._wire.handler.open(exchange)
        if exchange.answered or self._closing:
            return
        if head.expects:
            self._transport.write(_CONTINUE)
        if exchange.streams:
            self.due = math.inf
            self._body.limit, self._body.patience = math.inf, limits.body_seconds
            self._wire.handler.handle(exchange)

    def _read_body(self, exchange: Exchange, body: Body) -> None:
        try:
            rest = body.feed(bytes(self._buffer))
        except BadChunk as error:
            exchange.leave()
            self._break_off(400, str(error))
            return
        self._buffer = bytearray(rest)
        if body.size > body.limit and not exchange.answered:
            self._break_off(413, f"the body is larger than {self._wire.limits.max_body_bytes} bytes")
        elif exchange.streams:
            if body.over and exchange.answered and not exchange.begun:
                self._body = None
                self._next()
        elif body.over:
            self._body = None
            if exchange.answered:
                self._next()
            else:
                self.due = math.inf
                exchange.body = body.joined()
                self._wire.handler.handle(exchange)
        elif exchange.answered or exchange.dismissed:
            body.parts.clear()

    # --- answers -----------------------------------------------------------------------------------------------

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer, then go on with the next request."""
        if exchange is not self._exchange or self._closing:
            return
        body = self._body
        if body is not None and not body.over:
            long = body.left() > self._wire.limits.max_body_bytes
            self._lasting &= not (long or exchange.streams or exchange.head.expects)  # nobody hears the caller out
        content = b"" if exchange.head.method == "HEAD" else answer.body
        prefix = self._wire.prefix(answer.status, answer.headers, self._lasting)
        if answer.status == 204:  # RFC 9110, section 8.6: no length where there can be no body
            self._transport.write(prefix + b"\r\n")
        else:
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (prefix, len(answer.body), content))
        if body is None or body.over or not self._lasting:
            self._body = None
            self._next()

    def begin(self, exchange: Exchange, status: int, headers: Headers) -> None:
        """Begin an answer in chunks; to HTTP/1.0 it ends with the connection."""
        coding = b"transfer-encoding: chunked\r\n" if exchange.head.chunks else b""
        self._transport.write(self._wire.prefix(status, headers, self._lasting) + coding + b"\r\n")

    async def write(self, exchange: Exchange, part: bytes) -> None:
        """Send a part of the answer; waits while the caller is slow."""
        if self._writable is not None:
            await self._writable.wait()
        if exchange.gone or self._closing:
            raise ConnectionResetError
        if part:
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if exchange.head.chunks else part)

    def end(self, exchange: Exchange, *, whole: bool) -> None:
        """End an answer that came in parts, and the connection when the body is not over or the answer not whole."""
        if exchange is not self._exchange or self._closing:
            return
        if whole and exchange.head.chunks:
            self._transport.write(b"0\r\n\r\n")
        if not whole or (self._body is not None and not self._body.over):
            self._lasting = False
        self._body = None
        self._next()

    async def read(self, exchange: Exchange) -> bytes:
        """The next part of a streamed body."""
        body = self._body
        if body is None:
            return b""
        if body.awaited:
            self._await(self._wire.now + body.patience)
        part = await body.next()
        if exchange.gone:
            raise ConnectionResetError
        if self._awaited < math.inf:
            left = self._awaited - self._wire.now
            body.patience = self._wire.limits.body_seconds if body.progressed() else left
            self._await(math.inf)
        self._hold()
        return part

    def _await(self, due: float) -> None:
        """Wait for the next part of a body that streams; while the answers are not taken, that counts instead."""
        self._awaited = due
        if self._writable is None:
            self.due = due

    def _next(self) -> None:
        """The exchange is over."""
        self._exchange = None
        if not self._lasting:
            self._close()
            return
        if self._writable is None:
            self.due = self._wire.now + self._wire.limits.idle_seconds
        if self._buffer:
            self._wire.loop.call_soon(self._advance)
        elif not self._reading:
            self._hold()

    def _break_off(self, status: int, reason: str) -> None:
        """Answer what is no proper request, and end the connection."""
        self._lasting = False
        answer = self._wire.handler.refuse(status, reason)
        exchange, self._exchange = self._exchange, None
        if exchange is None or not exchange.begun:
            extra = exchange.extra if exchange is not None else ()
            prefix = self._wire.prefix(answer.status, answer.headers + extra, False)
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (prefix, len(answer.body), answer.body))
        if exchange is not None:
            exchange.leave()
        self._close()

    def _close(self) -> None:
        """Close once all is sent. What the caller still sends is thrown away, lest a reset overtakes the answer."""
        self._closing = True
        self._buffer.clear()
        self._body = None
        self._linger()
        if self._transport.can_write_eof():
            self._transport.write_eof()
            if not self._reading:
                self._reading = True
                self._transport.resume_reading()
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Wait for the caller to take what is left, and to close the connection."""
        self._unsent = self._transport.get_write_buffer_size()
        self.due = self._wire.now + (self._wire.limits.write_seconds if self._unsent else _LINGER_SECONDS)

    def _hold(self) -> None:
        """Read from the caller only what there is room for."""
        held = len(self._buffer) + (self._body.held if self._body is not None else 0)
        room = held < _HELD_BYTES and self._writable is None
        if self._body is not None and not (self._exchange and self._exchange.streams):
            room = True  # bounded by the limit of the body
        if room == self._reading or self._closing:
            return
        self._reading = room
        if room:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
