"""Takes connections in at one address, for as long as the worker lives."""

from __future__ import annotations

import asyncio
import socket
import ssl

from drivetrain.connect.http.connection import Connection
from drivetrain.connect.http.limits import Wire
from drivetrain.connect.http.messages import Handler
from drivetrain.connect.http.settings import ConnectionLimits

_BACKLOG = 1024
_DOORS = 32
"""The loop takes one connection in a turn from each socket that listens: more handles of the same one let more in."""
_LOOK_EVERY_SECONDS = 0.01


class Listener:
    """An address and the connections that came in through it."""

    def __init__(self, handler: Handler, limits: ConnectionLimits) -> None:
        self._wire = Wire(handler, limits)
        self._servers: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """How many callers are connected."""
        return len(self._wire.connections)

    async def listen(self, held: socket.socket, context: ssl.SSLContext | None) -> None:
        """Take connections in from now on; with ``context`` over TLS."""
        loop = asyncio.get_running_loop()
        for sock in (held, *(held.dup() for _ in range(_DOORS - 1))):
            server = await loop.create_server(
                lambda: Connection(self._wire), sock=sock, ssl=context, backlog=_BACKLOG,
                ssl_handshake_timeout=self._wire.limits.head_seconds if context else None,
            )  # fmt: skip
            self._servers.append(server)

    async def drain(self, seconds: float) -> None:
        """Take no more connections, answer what was accepted, and cut who is not done after so many seconds."""
        for server in self._servers:
            server.close()
        self._wire.drain()
        loop = asyncio.get_running_loop()
        over = loop.time() + seconds
        while self._wire.connections and loop.time() < over:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        for connection in tuple(self._wire.connections):
            connection.abort()
        self._wire.close()
