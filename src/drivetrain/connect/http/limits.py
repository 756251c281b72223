"""What the connections of a worker share: the limits, the clock, who is connected, and the heads of answers."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Protocol

from drivetrain.connect.http.head import Heads
from drivetrain.connect.http.messages import PHRASES, Handler, Headers
from drivetrain.connect.http.settings import ConnectionLimits

SWEEP_SECONDS = 0.25
_PREFIXES = 256


class Watched(Protocol):
    """A connection as the sweep sees it."""

    @property
    def due(self) -> float:
        """When the caller must have done what is waited for, in the loop's time."""
        ...

    def overdue(self) -> None:
        """``due`` has passed."""
        ...

    def drain(self) -> None:
        """Take no more requests; close once the answers are out."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


class Wire:
    """The state that connections share. ``now`` is the loop's time, at most ``SWEEP_SECONDS`` old."""

    def __init__(self, handler: Handler, limits: ConnectionLimits) -> None:
        self.handler = handler
        self.limits = limits
        self.heads = Heads()
        self.connections: set[Watched] = set()
        self.draining = False
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self.date = formatdate(usegmt=True)
        self._prefixes: dict[tuple[int, Headers, bool], bytes] = {}
        self._sweeping = self.loop.call_later(SWEEP_SECONDS, self._sweep)

    def prefix(self, status: int, headers: Headers, lasting: bool) -> bytes:
        """The head of an HTTP/1.1 answer up to the value of its length or coding; made once a second at most."""
        key = (status, headers, lasting)
        found = self._prefixes.get(key)
        if found is None:
            lines = [f"HTTP/1.1 {status} {PHRASES.get(status, '')}", f"date: {self.date}"]
            lines += [f"{name}: {value}" for name, value in headers]
            lines += [] if lasting else ["connection: close"]
            found = "\r\n".join([*lines, ""]).encode("latin-1")
            if len(self._prefixes) < _PREFIXES:
                self._prefixes[key] = found
        return found

    def drain(self) -> None:
        """Let every connection end after the answers that it waits for."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.drain()

    def close(self) -> None:
        """Stop the sweep."""
        self._sweeping.cancel()

    def _sweep(self) -> None:
        self.now = self.loop.time()
        date = formatdate(usegmt=True)
        if date != self.date:
            self.date = date
            self._prefixes.clear()
        for connection in [found for found in self.connections if found.due <= self.now]:
            connection.overdue()
        self._sweeping = self.loop.call_later(SWEEP_SECONDS, self._sweep)
