"""A listener with a small handler, in a thread of its own, and callers who speak to it byte by byte."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

import pytest
import uvloop

from drivetrain.connect.http.listener import Listener
from drivetrain.connect.http.listening import claim
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.connect.http.settings import ConnectionLimits

LARGE = 4 * 1024 * 1024
PART = 64 * 1024
TEXT = (("content-type", "text/plain"),)


@dataclass
class Tiny:
    """Answers with what was asked, at once or later, whole or in parts; what it saw, in order."""

    seen: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    written: int = 0
    read: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, exchange: Exchange) -> None:
        path = exchange.head.path
        if path.startswith("/refused"):
            exchange.answer(Answer(401, TEXT, b"who are you"))
        exchange.streams = path.startswith("/stream")

    def handle(self, exchange: Exchange) -> None:
        head = exchange.head
        self.seen.append(head.path)
        if head.path.startswith("/stream"):
            exchange.run(self._streamed(exchange))
        elif head.path.startswith("/late"):
            exchange.run(self._late(exchange))
        elif head.path.startswith("/large"):
            exchange.answer(Answer(200, TEXT, bytes(LARGE)))
        else:
            exchange.answer(Answer(200, TEXT, f"{head.method} {head.path} ".encode() + exchange.body))

    def refuse(self, status: int, reason: str) -> Answer:
        return Answer(status, TEXT, reason.encode())

    async def _late(self, exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        exchange.answer(Answer(200, TEXT, f"{exchange.head.method} {exchange.head.path} ".encode() + exchange.body))

    async def _streamed(self, exchange: Exchange) -> None:
        try:
            await {
                "/stream/echo": self._echo, "/stream/count": self._count, "/stream/endless": self._endless,
                "/stream/held": self._held, "/stream/early": self._early, "/stream/broken": self._broken,
            }[exchange.head.path](exchange)  # fmt: skip
        except TimeoutError:
            self.left.append("TimeoutError")
            exchange.end(whole=False)
        except (ConnectionResetError, asyncio.CancelledError) as error:
            self.left.append(type(error).__name__)
            raise

    async def _echo(self, exchange: Exchange) -> None:
        exchange.begin(200, TEXT)
        while part := await exchange.read():
            await exchange.write(part)
        exchange.end()

    async def _count(self, exchange: Exchange) -> None:
        total = 0
        while part := await exchange.read():
            total += len(part)
        exchange.answer(Answer(200, TEXT, b"%d" % total))

    async def _endless(self, exchange: Exchange) -> None:
        exchange.begin(200, TEXT)
        while True:
            await exchange.write(bytes(PART))
            self.written += PART
            await asyncio.sleep(0)

    async def _held(self, exchange: Exchange) -> None:
        """Read one part, then nothing until the test says so."""
        self.read += len(await exchange.read())
        await self.go_on.wait()
        while part := await exchange.read():
            self.read += len(part)
        exchange.answer(Answer(200, TEXT, b"%d" % self.read))

    async def _early(self, exchange: Exchange) -> None:
        await exchange.read()
        exchange.answer(Answer(409, TEXT, b"enough"))

    async def _broken(self, exchange: Exchange) -> None:
        exchange.begin(200, TEXT)
        await exchange.write(b"half of it")
        exchange.end(whole=False)


@dataclass(frozen=True)
class Reply:
    """One answer as it came over the wire. ``body`` is None when it broke off before its end."""

    status: int
    headers: dict[str, str]
    body: bytes | None


class Peer:
    """One caller, with a connection that it may use badly."""

    def __init__(self, address: tuple[str, int], receive: int | None = None) -> None:
        self.socket = socket.socket()
        if receive is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(10)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> Self:
        for part in parts:
            self.socket.sendall(part)
        return self

    def fill(self, content: bytes, most: int = 1 << 30) -> int:
        """Send until the server takes nothing more for a while, or ever, or so many bytes; how many bytes went."""
        self.socket.setblocking(False)
        sent = 0
        with suppress(ConnectionError):
            while sent < most and select.select([], [self.socket], [], 0.3)[1]:
                with suppress(BlockingIOError):
                    sent += self.socket.send(content[: most - sent])
        self.socket.settimeout(10)
        return sent

    def reply(self, *, of_head: bool = False) -> Reply:
        """The next answer."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        status = int(line.split()[1])
        headers = {}
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(": ")
            headers[name] = value
        if of_head or status in (100, 204):
            return Reply(status, headers, b"")
        return Reply(status, headers, self._chunked() if "transfer-encoding" in headers else self._counted(headers))

    def _counted(self, headers: dict[str, str]) -> bytes | None:
        wanted = int(headers.get("content-length", -1))
        content = self._file.read(wanted)
        return content if wanted in (-1, len(content)) else None

    def _chunked(self) -> bytes | None:
        content = b""
        while line := self._file.readline():
            size = int(line, 16)
            content += self._file.read(size)
            assert self._file.read(2) == b"\r\n"
            if not size:
                return content
        return None

    def rest(self) -> bytes:
        """Whatever else comes until the server closes the connection; a reset counts as its end."""
        with suppress(ConnectionResetError):
            return self._file.read()
        return b""

    def closed(self) -> bool:
        """Whether the server has said all: nothing comes but the end."""
        return self.rest() == b""


def get(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


def post(path: str, body: bytes = b"", *lines: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *lines, method="POST") + body


def chunked(path: str, *parts: bytes) -> bytes:
    head = get(path, "Transfer-Encoding: chunked", method="POST")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


@dataclass(frozen=True)
class Listening:
    """A listener in another thread."""

    address: tuple[str, int]
    handler: Tiny
    listener: Listener
    loop: asyncio.AbstractEventLoop

    def peer(self, receive: int | None = None) -> Peer:
        return Peer(self.address, receive)

    def call(self, what: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(what)


@contextmanager
def listening(context: ssl.SSLContext | None = None, **limits: float) -> Iterator[Listening]:
    handler = Tiny()
    held = claim("127.0.0.1", 0)
    ready, over, found = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        listener = Listener(handler, ConnectionLimits(**limits))  # type: ignore[arg-type]  # some of them are int
        await listener.listen(held, context)
        found.append(Listening(held.getsockname(), handler, listener, asyncio.get_running_loop()))
        ready.set()
        await over.wait()
        await listener.drain(0.0)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        found[0].call(over.set)
        thread.join(10)
    assert not thread.is_alive()


Listen = Callable[..., Listening]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Starts listeners with limits by name."""
    with ExitStack() as stack:
        yield lambda **limits: stack.enter_context(listening(**limits))


@pytest.fixture(scope="module")
def patient() -> Iterator[Listening]:
    """A listener with the limits that a server has by default."""
    with listening() as found:
        yield found
