"""HTTP/2 over one connection (RFC 9113): many requests at once, framed by h2, each with the limits of HTTP/1.1."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings

from drivetrain.serve.http.body import Body
from drivetrain.serve.http.head import Head, http2_head
from drivetrain.serve.http.limits import Wire
from drivetrain.serve.http.messages import Answer, Exchange, Headers

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
_STREAMS = 100
_WINDOW = 1024 * 1024
_HELD_BYTES = 256 * 1024
_LINGER_SECONDS = 2.0
_CALLS_A_SECOND = 2000
"""Frames that ask for nothing (resets, pings, settings): a caller who sends more is only keeping us busy."""


class Http2Connection(asyncio.Protocol):
    """One caller. Several requests of theirs are answered side by side."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._transport: asyncio.Transport
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._streams: dict[int, _Stream] = {}
        self._by_exchange: dict[Exchange, _Stream] = {}
        self._heads: dict[tuple[tuple[str, str], ...], tuple[Head, str]] = {}
        self._idle_due = math.inf
        self._writable: asyncio.Event | None = None
        self._write_due = math.inf
        self._calls = 0
        self._calls_since = 0.0
        self._closing = False

    @property
    def due(self) -> float:
        """When the caller must have done what is waited for: of all their requests the earliest."""
        if self._writable is not None:
            return self._write_due
        waiting = [stream.due for stream in self._streams.values()]
        return min(waiting) if waiting else self._idle_due

    # --- what the loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected, and speaks HTTP/2."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not say that they are
        self._transport.set_write_buffer_limits(_HELD_BYTES)
        self._wire.connections.add(self)
        self._idle_due = self._wire.now + self._wire.limits.idle_seconds
        told = {
            SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: self._wire.limits.max_header_bytes,
        }
        self._h2.local_settings = Settings(client=False, initial_values=told)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """The caller has gone, or was sent away."""
        self._closing = True
        self._wire.connections.discard(self)
        if self._writable is not None:
            self._writable.set()
        for stream in list(self._streams.values()):
            self._drop(stream)

    def data_received(self, data: bytes) -> None:
        """Frames from the caller."""
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._flush()
            self._closing = True
            self._transport.close()
            return
        for event in events:
            if not self._closing:
                self._take(event)
        self._flush()

    def pause_writing(self) -> None:
        """The caller does not take what is sent."""
        self._writable = asyncio.Event()
        self._write_due = self._wire.now + self._wire.limits.write_seconds

    def resume_writing(self) -> None:
        """The caller takes it again."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None
        for stream in list(self._streams.values()):
            self._pump(stream)
        self._flush()

    # --- what the sweep calls ----------------------------------------------------------------------------------

    def overdue(self) -> None:
        """The caller was too slow with some request, with all of them, or has nothing to ask."""
        if self._writable is not None or not self._streams:
            self._goodbye(ErrorCodes.NO_ERROR)
            return
        for stream in [stream for stream in self._streams.values() if stream.due <= self._wire.now]:
            if stream.exchange.answered:
                self._reset(stream, ErrorCodes.CANCEL)
            else:
                self._refuse(stream, 408, "the request took too long to arrive")
        self._flush()

    def drain(self) -> None:
        """Take no more requests; close once the answers are out."""
        self._closing = True
        self._h2.close_connection(last_stream_id=self._h2.highest_inbound_stream_id)
        self._flush()
        if not self._streams:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # --- requests ----------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._open(event.stream_id, cast("list[tuple[str, str]]", event.headers))
        elif isinstance(event, DataReceived):
            self._receive(event)
        elif isinstance(event, StreamEnded):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                self._whole(stream)
        elif isinstance(event, WindowUpdated):
            self._widened(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            self._transport.close()
        else:
            self._count_call()
            if isinstance(event, StreamReset) and event.stream_id in self._streams:
                self._drop(self._streams[event.stream_id])

    def _open(self, number: int, headers: Iterable[tuple[str, str]]) -> None:
        key = tuple(headers)
        known = self._heads.get(key)
        if known is None:
            known = http2_head(key)
            if len(self._heads) < _STREAMS:
                self._heads[key] = known
        head, problem = known
        limits = self._wire.limits
        exchange = Exchange(self, head, time.perf_counter())
        body = Body(head.length, limits.max_body_bytes, framed=True)
        stream = _Stream(number, exchange, body, self._wire.now + limits.body_seconds)
        self._streams[number] = self._by_exchange[exchange] = stream
        if problem:
            self._refuse(stream, 400, problem)
            return
        self._wire.handler.open(exchange)
        if exchange.streams and not exchange.answered:
            body.limit = math.inf
            self._wire.handler.handle(exchange)

    def _receive(self, event: DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None or stream.over or (stream.exchange.answered and not stream.exchange.begun):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return
        stream.body.arrived(event.data, over=False)
        if not stream.exchange.streams:
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream.body.size > stream.body.limit:
                self._refuse(stream, 413, f"the body is larger than {self._wire.limits.max_body_bytes} bytes")
        else:
            stream.unread += event.flow_controlled_length
            if stream.body.progressed():
                stream.due = self._wire.now + self._wire.limits.body_seconds

    def _whole(self, stream: _Stream) -> None:
        stream.due = math.inf
        exchange = stream.exchange
        stream.body.arrived(b"", over=True)
        if stream.over and not stream.unsent:
            self._forget(stream)
            return
        if not exchange.answered and not exchange.streams:
            exchange.body = stream.body.joined()
            self._wire.handler.handle(exchange)

    def _count_call(self) -> None:
        if self._wire.now - self._calls_since > 1.0:
            self._calls, self._calls_since = 0, self._wire.now
        self._calls += 1
        if self._calls > _CALLS_A_SECOND:
            self._goodbye(ErrorCodes.ENHANCE_YOUR_CALM)

    # --- answers -----------------------------------------------------------------------------------------------

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer."""
        stream = self._by_exchange.get(exchange)
        if stream is None:
            return
        bodyless = exchange.head.method == "HEAD" or answer.status == 204
        length = () if answer.status == 204 else (("content-length", str(len(answer.body))),)
        headers = self._head_lines(answer.status, answer.headers + length)
        self._h2.send_headers(stream.number, headers, end_stream=bodyless)
        stream.over = True
        if bodyless:
            stream.ended = True
            self._finish(stream)
        else:
            stream.unsent = bytearray(answer.body)
            self._pump(stream)
        self._flush()

    def begin(self, exchange: Exchange, status: int, headers: Headers) -> None:
        """Begin an answer that comes in parts."""
        stream = self._by_exchange.get(exchange)
        if stream is not None:
            self._h2.send_headers(stream.number, self._head_lines(status, headers))
            self._flush()

    async def write(self, exchange: Exchange, part: bytes) -> None:
        """Send a part; waits while the caller is slow, or has not opened its window."""
        stream = self._by_exchange.get(exchange)
        while stream is not None and not exchange.gone and len(stream.unsent) > _HELD_BYTES:
            stream.due = self._wire.now + self._wire.limits.write_seconds
            stream.room.clear()
            await stream.room.wait()
        if stream is None or exchange.gone:
            raise ConnectionResetError
        stream.unsent += part
        self._pump(stream)
        self._flush()

    def end(self, exchange: Exchange, *, whole: bool) -> None:
        """End an answer that came in parts."""
        stream = self._by_exchange.get(exchange)
        if stream is None:
            return
        if whole:
            stream.over = True
            self._pump(stream)
        else:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)
        self._flush()

    async def read(self, exchange: Exchange) -> bytes:
        """The next part of a streamed body; the caller may send as much again."""
        stream = self._by_exchange.get(exchange)
        if stream is None:
            raise ConnectionResetError
        part = await stream.body.next()
        if exchange.gone:
            raise ConnectionResetError
        if stream.unread:
            self._h2.acknowledge_received_data(min(stream.unread, max(len(part), 1)), stream.number)
            stream.unread -= min(stream.unread, max(len(part), 1))
            self._flush()
        return part

    def _pump(self, stream: _Stream) -> None:
        """Send as much of an answer as the caller's window lets through."""
        while stream.unsent and self._writable is None:
            room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if room <= 0:
                break
            part = bytes(stream.unsent[:room])
            del stream.unsent[:room]
            self._h2.send_data(stream.number, part, end_stream=stream.over and not stream.unsent)
            if stream.over and not stream.unsent:
                stream.ended = True
                self._finish(stream)
                return
        if stream.over and not stream.unsent and not stream.ended:
            stream.ended = True
            self._h2.end_stream(stream.number)
            self._finish(stream)
        elif len(stream.unsent) <= _HELD_BYTES:
            stream.room.set()
        if stream.unsent:
            stream.due = self._wire.now + self._wire.limits.write_seconds

    def _widened(self, number: int) -> None:
        for stream in [self._streams[number]] if number in self._streams else list(self._streams.values()):
            self._pump(stream)

    def _finish(self, stream: _Stream) -> None:
        """An answer is out. Who is still sending is heard out for a while: some take a reset for no answer at all."""
        if stream.body.over:
            self._forget(stream)
        else:
            stream.body.parts.clear()
            stream.due = self._wire.now + _LINGER_SECONDS

    def _refuse(self, stream: _Stream, status: int, reason: str) -> None:
        answer = self._wire.handler.refuse(status, reason)
        if not stream.exchange.answered:
            stream.exchange.answered = status
            self.send(stream.exchange, answer)
        stream.exchange.leave()

    def _reset(self, stream: _Stream, code: ErrorCodes) -> None:
        with suppress(StreamClosedError):
            self._h2.reset_stream(stream.number, code)
        self._drop(stream)

    def _drop(self, stream: _Stream) -> None:
        """The caller no longer waits for this answer."""
        self._forget(stream)
        stream.exchange.leave()
        stream.body.arrived(b"", over=True)
        stream.room.set()

    def _forget(self, stream: _Stream) -> None:
        self._streams.pop(stream.number, None)
        self._by_exchange.pop(stream.exchange, None)
        self._idle_due = self._wire.now + self._wire.limits.idle_seconds
        if self._closing and not self._streams:
            self._flush()
            self._transport.close()

    def _goodbye(self, code: ErrorCodes) -> None:
        self._closing = True
        self._h2.close_connection(code)
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _head_lines(self, status: int, headers: Headers) -> list[tuple[str, str]]:
        return [(":status", str(status)), ("date", self._wire.date), *headers]


class _Stream:
    """One request and its answer."""

    __slots__ = ("body", "due", "ended", "exchange", "number", "over", "room", "unread", "unsent")

    def __init__(self, number: int, exchange: Exchange, body: Body, due: float) -> None:
        self.number = number
        self.exchange = exchange
        self.body = body
        self.due = due
        self.unsent = bytearray()
        self.ended = False  # the caller knows that
        self.over = False  # nothing comes behind ``unsent``
        self.unread = 0  # of the body: what the caller must not send again before it was read
        self.room = asyncio.Event()
