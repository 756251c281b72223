"""A caller who speaks HTTP/2 over a real socket, and may do it badly."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WIDE = 2**30


@dataclass
class Heard:
    """What came back for one request so far. ``reset`` says how it was broken off."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    told: list[int] = field(default_factory=list)
    whole: bool = False
    reset: ErrorCodes | None = None

    @property
    def over(self) -> bool:
        return self.whole or self.reset is not None


class Http2Caller:
    """One connection. ``window`` is how many bytes of each answer it takes before it says that it takes more."""

    def __init__(
        self, address: tuple[str, int], *, window: int = WIDE, receive: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        made = socket.socket()
        if receive:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        made.settimeout(10)
        made.connect(address)
        self.socket = tls.wrap_socket(made, server_hostname="localhost") if tls else made
        lax = H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = H2Connection(lax)
        self.h2.local_settings = Settings(client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.heard: dict[int, Heard] = {}
        self.goodbye: ErrorCodes | None = None
        self.closed = False
        self.h2.initiate_connection()
        if window == WIDE:
            self.h2.increment_flow_control_window(WIDE)
        self.send()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.socket.close()

    # --- speaking ----------------------------------------------------------------------------------------------

    def begin(self, method: str, path: str, *headers: tuple[str, str], end: bool = False) -> int:
        """The head of a request, queued; the number of its stream."""
        number = self.h2.get_next_available_stream_id()
        known = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost")]
        self.h2.send_headers(number, [*known, *headers], end_stream=end)
        self.heard[number] = Heard()
        return number

    def ask(self, path: str, body: bytes = b"", *headers: tuple[str, str], method: str = "POST") -> int:
        """A whole request with a body that fits into the window, queued."""
        number = self.begin(method, path, *headers, end=not body)
        for start in range(0, len(body), 16384):
            self.h2.send_data(number, body[start : start + 16384], end_stream=start + 16384 >= len(body))
        return number

    def upload(self, number: int, body: bytes) -> None:
        """A body that may be larger than the window, as fast as the server takes it, unless it answers before."""
        while body and not self.heard[number].over:
            room = min(self.h2.local_flow_control_window(number), 16384, len(body))
            if room:
                self.h2.send_data(number, body[:room], end_stream=room == len(body))
                body = body[room:]
            self.send()
            self.listen(wait=not room)

    def send(self, *raw: bytes) -> Self:
        """Send what is queued, and more."""
        try:
            self.socket.sendall(b"".join([self.h2.data_to_send(), *raw]))
        except (ConnectionResetError, BrokenPipeError):
            self.closed = True
        return self

    # --- listening ---------------------------------------------------------------------------------------------

    def listen(self, *, wait: bool = True, take: int = 65536) -> None:
        """Hear what comes next; with ``wait=False`` only what is here already."""
        if not wait and not select.select([self.socket], [], [], 0)[0]:
            return
        try:
            data = self.socket.recv(take)
        except ConnectionResetError:
            data = b""
        self.closed = not data
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            assert self.goodbye is not None, "only after a goodbye anything may come that h2 does not want"
            return
        for event in events:
            if isinstance(event, ConnectionTerminated):
                self.goodbye = ErrorCodes(event.error_code or 0)
            elif isinstance(event, (ResponseReceived, InformationalResponseReceived)):
                self._headed(event)
            elif isinstance(event, DataReceived):
                self.heard[event.stream_id or 0].body += event.data
            elif isinstance(event, StreamEnded):
                self.heard[event.stream_id or 0].whole = True
            elif isinstance(event, StreamReset):
                self.heard[event.stream_id or 0].reset = ErrorCodes(event.error_code or 0)
        if not self.closed:
            self.send()

    def _headed(self, event: ResponseReceived | InformationalResponseReceived) -> None:
        headers = {str(name): str(value) for name, value in event.headers or ()}
        heard, status = self.heard[event.stream_id or 0], int(headers.pop(":status"))
        if status < 200:
            heard.told.append(status)
        else:
            heard.status, heard.headers = status, headers

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> Self:
        """Listen until something is so."""
        over = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < over, f"not so within {seconds:g} seconds"
            assert not self.closed, f"the server has closed the connection: {self.goodbye}"
            if select.select([self.socket], [], [], 0.05)[0]:
                self.listen()
        return self

    def answer(self, number: int) -> Heard:
        """The answer to one request, once it is over."""
        self.send().until(lambda: self.heard[number].over)
        return self.heard[number]

    def end(self, seconds: float = 10.0) -> ErrorCodes | None:
        """Wait until the server closes the connection; the reason it gave."""
        over = time.monotonic() + seconds
        while not self.closed:
            assert time.monotonic() < over, "the connection stays open"
            if select.select([self.socket], [], [], 0.05)[0]:
                self.listen()
        return self.goodbye
