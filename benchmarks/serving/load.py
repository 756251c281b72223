"""Load that knows its rate: callers in one thread over epoll, each with one request at a time on a kept connection.

``wrk`` neither keeps a rate nor tells accepted answers from refused ones. In an open loop requests are due at random
moments (exponential gaps), and latency counts from the moment a request was due, so a slow server cannot slow the
measurement down with it ("coordinated omission"). In a closed loop every caller asks again as soon as it is answered.
The thread never sleeps: it should have a core to itself.
"""

from __future__ import annotations

import re
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOST = 0
"""The status of a request whose connection ended without an answer."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_LATE_S = 10.0
_RECEIVE = 1 << 16
_REFUSALS = (429, 503)


@dataclass(frozen=True)
class Answers:
    """One entry a request that was answered or lost: when it was due (s from the start), how long it took (s), status.

    ``seconds`` counts from when it was due, ``answering`` from when it was sent: later, when no caller was free.
    ``unanswered`` were still open some seconds after the end; ``unadvised`` are refusals without Retry-After.
    """

    due: NDArray[np.float64]
    seconds: NDArray[np.float64]
    answering: NDArray[np.float64]
    status: NDArray[np.int64]
    unanswered: int
    unadvised: int

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which were answered with success."""
        return self.status == 200

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which were told to come later."""
        return np.isin(self.status, _REFUSALS)

    @property
    def failed(self) -> int:
        """How many were neither."""
        return int((~self.accepted & ~self.refused).sum()) + self.unanswered

    def milliseconds(self, share: float, *, answering: bool = False) -> float:
        """The percentile ``share`` of what accepted ones took, in ms, from due or from sent; NaN without any."""
        taken = (self.answering if answering else self.seconds)[self.accepted]
        return float(np.percentile(taken, share)) * 1000 if len(taken) else float("nan")


class _Caller:
    __slots__ = ("due", "got", "sent", "socket", "waits")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = _connected(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = self.sent = 0.0
        self.got = b""
        self.waits = False


def _connected(address: tuple[str, int]) -> socket.socket:
    """A connection, as soon as there is somebody to connect to: a worker may just be replaced."""
    late = time.perf_counter() + _LATE_S
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            if time.perf_counter() > late:
                raise
            time.sleep(0.01)


class Callers:
    """So many connections to a server, asking the same requests in turn. To be used in one ``with``."""

    def __init__(self, address: tuple[str, int], requests: Sequence[bytes], connections: int) -> None:
        self._address = address
        self._requests = requests
        self._poll = select.epoll()
        self._callers: dict[int, _Caller] = {}
        self._idle: deque[_Caller] = deque()
        self._due, self._seconds, self._answering, self._status = array("d"), array("d"), array("d"), array("H")
        self._asked = self._unadvised = 0
        for _ in range(connections):
            self._connect()

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self._callers.values():
            caller.socket.close()
        self._poll.close()

    def ask(self, seconds: float, rate: float | None = None) -> Answers:
        """Ask for so long, at ``rate`` requests a second, or without one as fast as answers come."""
        began = time.perf_counter()
        due = _moments(rate) if rate else None
        upcoming = next(due) if due else 0.0
        while (now := time.perf_counter() - began) < seconds:
            while self._idle and upcoming <= now:
                self._send(self._idle.popleft(), began + (upcoming if due else now))
                upcoming = next(due) if due else 0.0
            self._receive(0.0)
        late = time.perf_counter() + _LATE_S
        while (waiting := self._waiting()) and time.perf_counter() < late:
            self._receive(0.01)
        due, status = np.array(self._due) - began, np.array(self._status, dtype=np.int64)
        return Answers(due, np.array(self._seconds), np.array(self._answering), status, waiting, self._unadvised)

    def _connect(self) -> None:
        caller = _Caller(self._address)
        self._callers[caller.socket.fileno()] = caller
        self._poll.register(caller.socket, select.EPOLLIN)
        self._idle.append(caller)

    def _send(self, caller: _Caller, due: float) -> None:
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        caller.due, caller.sent, caller.waits = due, time.perf_counter(), True
        try:
            sent = caller.socket.send(request)
        except OSError:  # the server has closed the connection; reading it will tell
            return
        if sent < len(request):
            raise ValueError("a request must fit into the buffer of its socket")

    def _receive(self, timeout: float) -> None:
        for number, _ in self._poll.poll(timeout):
            caller = self._callers[number]
            try:
                data = caller.socket.recv(_RECEIVE)
            except OSError:
                data = b""
            if not data:
                self._lose(number, caller)
                continue
            caller.got += data
            end = caller.got.find(b"\r\n\r\n")
            length = _LENGTH.search(caller.got, 0, end) if end > 0 else None
            if length is not None and len(caller.got) >= end + 4 + int(length[1]):
                self._answered(number, caller, caller.got[:end])

    def _answered(self, number: int, caller: _Caller, head: bytes) -> None:
        status = int(head[9:12])
        self._note(caller, status)
        if status in _REFUSALS and b"retry-after" not in head.lower():
            self._unadvised += 1
        caller.got = b""
        if b"connection: close" in head.lower():
            self._lose(number, caller)
        else:
            self._idle.append(caller)

    def _lose(self, number: int, caller: _Caller) -> None:
        """The connection has ended: note what was open on it, and make another one."""
        if caller.waits:
            self._note(caller, LOST)
        else:
            self._idle = deque(other for other in self._idle if other is not caller)
        self._poll.unregister(caller.socket)
        caller.socket.close()
        del self._callers[number]
        self._connect()

    def _note(self, caller: _Caller, status: int) -> None:
        now, caller.waits = time.perf_counter(), False
        self._due.append(caller.due)
        self._seconds.append(now - caller.due)
        self._answering.append(now - caller.sent)
        self._status.append(status)

    def _waiting(self) -> int:
        return sum(caller.waits for caller in self._callers.values())


def requests_to(path: str, headers: dict[str, str], bodies: Sequence[bytes]) -> list[bytes]:
    """POST requests as they go over the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    start = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}"
    return [f"{start}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


def _moments(rate: float) -> Iterator[float]:
    """When requests are due, in seconds from the start."""
    generator, last = np.random.default_rng(0), 0.0
    while True:
        moments = last + np.cumsum(generator.exponential(1 / rate, 10_000))
        last = float(moments[-1])
        yield from moments.tolist()
