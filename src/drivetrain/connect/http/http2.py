"""HTTP/2 over one connection (RFC 9113): many requests at once, framed by h2, each with the limits of HTTP/1.1."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from drivetrain.connect.http.frames import LARGEST, FrameRefused, Frames
from drivetrain.connect.http.head import Head, http2_head
from drivetrain.connect.http.http2_stream import HELD_BYTES, LINGER_SECONDS, Http2Stream
from drivetrain.connect.http.limits import Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
"""What a caller begins with; the six bytes that follow are for h2 to check."""

_STREAMS = 100
_WINDOW = 1024 * 1024
_HEADS = 100
_HEAD_BYTES = 4096
_BODIES = 4
"""So many of the largest bodies may the streams of one connection hold together."""

_TOGETHER = "all bodies and answers of this connection together are too large"

Lines = tuple[tuple[str, str], ...]


_CONFIGURATION = H2Configuration(
    client_side=False,
    header_encoding="latin-1",
    normalize_outbound_headers=False,  # those are ours, and in lower case
    validate_outbound_headers=False,
)


class _Framing(H2Connection):
    MAX_CLOSED_STREAMS = 1000  # remembered; 65,536 would be megabytes for each connection that lasts


class Http2Connection(asyncio.Protocol):
    """One caller. Several requests of theirs are answered side by side."""

    def __init__(self, wire: Wire) -> None:
        most = wire.limits.max_header_bytes
        told = {
            SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: most,
        }
        self.wire = wire
        self.h2: H2Connection = _Framing(_CONFIGURATION)
        self.h2.local_settings = Settings(client=False, initial_values=told)
        self.h2.decoder.max_header_list_size = 4 * most  # what is larger ends the connection, not only the request
        self.writable = True
        self._transport: asyncio.Transport
        self._frames = Frames(most + LARGEST)
        self._streams: dict[int, Http2Stream] = {}
        self._heads: dict[Lines, tuple[Head, int, str]] = {}
        self._idle_due = wire.now + wire.limits.idle_seconds
        self._head_due = wire.now + wire.limits.head_seconds  # for the preface
        self._write_due = math.inf
        self._untaken = 0
        self._busy = False
        self._flushing = False
        self._draining = wire.draining
        self._ending = False

    @property
    def due(self) -> float:
        """When the caller must have done what is waited for: of all their requests the earliest."""
        waiting = min([stream.due for stream in self._streams.values()], default=self._idle_due)
        return min(waiting, self._head_due, self._write_due)

    # --- what the loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected, and speaks HTTP/2."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not say that they are
        self._transport.set_write_buffer_limits(HELD_BYTES)
        self.wire.connections.add(self)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(_WINDOW)
        if len(self.wire.connections) > self.wire.limits.max_connections:
            self._end(ErrorCodes.ENHANCE_YOUR_CALM)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        """The caller has gone, or was sent away."""
        self.wire.connections.discard(self)
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Frames from the caller."""
        if not self._ending:
            self._frames.add(data)
            if not self._busy:
                self._advance()

    def pause_writing(self) -> None:
        """The caller does not take what is sent."""
        self.writable = False
        self._untaken = self._transport.get_write_buffer_size()
        self._write_due = self.wire.now + self.wire.limits.write_seconds

    def resume_writing(self) -> None:
        """The caller takes it again."""
        self.writable = True
        if not self._ending:
            self._write_due = math.inf
            self._pump()

    # --- what the sweep calls ----------------------------------------------------------------------------------

    def overdue(self) -> None:
        """The caller was too slow with some request, with all of them, or has nothing to ask."""
        now = self.wire.now
        if self._write_due <= now:
            self._cut_unless_reading()
        elif self._head_due <= now or not self._streams:
            self._end(ErrorCodes.NO_ERROR)
        else:
            for stream in [stream for stream in self._streams.values() if stream.due <= now]:
                if not self._ending:
                    stream.overdue()
            self.flush()

    def drain(self) -> None:
        """Take no more requests; close once the answers are out.

        Until then nothing is said: there are callers who take GOAWAY for the end of everything, though it is not.
        """
        self._draining = True
        for stream in [stream for stream in self._streams.values() if stream.ended]:
            stream.reset(ErrorCodes.NO_ERROR)
        if not self._streams and not self._ending:
            self._end(ErrorCodes.NO_ERROR)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # --- frames ------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Read the frames of one turn; the others wait, so that nobody has the loop to themselves."""
        if self._ending:
            return
        try:
            events = self.h2.receive_data(self._frames.take(self.wire.now))
        except FrameRefused as error:
            self._end(error.code)
        except ProtocolError:
            self._hang_up()
        else:
            self._take(events)
            self.flush()
        self._look_ahead()

    def _look_ahead(self) -> None:
        if self._ending or self._transport.is_closing():
            return
        before, self._busy = self._busy, self._frames.ready
        if self._busy:
            self.wire.loop.call_soon(self._advance)
        if self._busy and not before:
            self._transport.pause_reading()
        elif before and not self._busy:
            self._transport.resume_reading()
        latest = self.wire.now + self.wire.limits.head_seconds
        self._head_due = min(self._head_due, latest) if self._frames.cut and not self._busy else math.inf

    def _take(self, events: Sequence[Event]) -> None:
        """h2 has heard all of it already: who has gone is dropped before anybody is answered."""
        if any(isinstance(event, ConnectionTerminated) for event in events):
            self._hang_up()
            return
        gone = {event.stream_id for event in events if isinstance(event, StreamReset)}
        for number in gone & self._streams.keys():
            self._streams[number].drop()
        for event in events:
            if self._ending:
                return
            if isinstance(event, RequestReceived):
                if event.stream_id not in gone:
                    self._open(event)
            elif isinstance(event, DataReceived):
                self._receive(event)
            elif isinstance(event, StreamEnded):
                if event.stream_id in self._streams:
                    self._streams[event.stream_id].whole()
            elif isinstance(event, WindowUpdated):
                self._pump(event.stream_id or 0)
            elif isinstance(event, RemoteSettingsChanged):  # perhaps of the windows of all streams
                self._pump()

    # --- requests ----------------------------------------------------------------------------------------------

    def _open(self, event: RequestReceived) -> None:
        number = event.stream_id or 0
        if self._draining:
            self.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        head, status, problem = self._head(cast("Lines", tuple(event.headers or ())))
        if self._full:
            status, problem = 413, _TOGETHER
        stream = self._streams[number] = Http2Stream(self, number, head)
        exchange = stream.exchange
        if status:
            stream.refuse(status, problem)
            return
        self.wire.handler.open(exchange)
        if exchange.answered:
            return
        if head.expects and event.stream_ended is None:
            stream.go_on()
        if exchange.streams:
            stream.stream()

    def _head(self, lines: Lines) -> tuple[Head, int, str]:
        """A head, and what it is refused for; remembered, as a caller sends the same again and again."""
        found = self._heads.get(lines)
        if found is None:
            size = sum(len(name) + len(value) + 32 for name, value in lines)  # RFC 9113, section 6.5.2
            head, problem = http2_head(lines)
            most = self.wire.limits.max_header_bytes
            found = (head, 400 if problem else 0, problem)
            if size > most:
                found = (head, 431, f"the head is larger than {most} bytes")
            if size <= _HEAD_BYTES and len(self._heads) < _HEADS:
                self._heads[lines] = found
        return found

    def _receive(self, event: DataReceived) -> None:
        stream = self._streams.get(event.stream_id or 0)
        if stream is None:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
            return
        stream.receive(event)
        if not stream.exchange.answered and self._full:
            stream.refuse(413, _TOGETHER)

    @property
    def _full(self) -> bool:
        held = sum(stream.held for stream in self._streams.values())
        return held > _BODIES * self.wire.limits.max_body_bytes

    # --- answers -----------------------------------------------------------------------------------------------

    def _pump(self, number: int = 0) -> None:
        """Go on with one answer, or with all of them."""
        for stream in [self._streams[number]] if number in self._streams else list(self._streams.values()):
            if not self._ending:
                stream.pump()
        self.flush()

    def flush(self) -> None:
        """Send what h2 has made of the answers."""
        self._flushing = False
        data = self.h2.data_to_send()
        if data and not self._ending and not self._transport.is_closing():
            self._transport.write(data)

    def flush_soon(self) -> None:
        """The same, together with whatever is answered in this turn of the loop: each write is a call of the system."""
        if not self._flushing:
            self._flushing = True
            self.wire.loop.call_soon(self.flush)

    def forget(self, stream: Http2Stream) -> None:
        """Nothing more will come of a stream."""
        del self._streams[stream.number]
        self._idle_due = self.wire.now + self.wire.limits.idle_seconds
        if self._draining and not self._streams and not self._ending:
            self._end(ErrorCodes.NO_ERROR)

    # --- the end -----------------------------------------------------------------------------------------------

    def _end(self, code: ErrorCodes) -> None:
        """Say goodbye, and why."""
        self.h2.close_connection(code)
        self._hang_up()

    def _hang_up(self) -> None:
        """Close once all is sent. What the caller still sends is thrown away, lest a reset overtakes the goodbye."""
        self.flush()
        self._leave()
        self._write_due = self.wire.now + LINGER_SECONDS
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
            if self._busy:
                self._transport.resume_reading()
        else:
            self._transport.close()

    def _leave(self) -> None:
        self._ending = True
        for stream in list(self._streams.values()):
            stream.drop()

    def _cut_unless_reading(self) -> None:
        """Somebody who reads slowly gets more time, somebody who does not read at all gets none."""
        untaken = self._transport.get_write_buffer_size()
        if untaken < self._untaken and not self._ending:
            self._untaken, self._write_due = untaken, self.wire.now + self.wire.limits.write_seconds
        else:
            self._transport.abort()
