"""Takes connections in at one address, for as long as the worker lives."""

from __future__ import annotations

import asyncio
import socket
import ssl

from drivetrain.serve.http.connection import Connection
from drivetrain.serve.http.limits import Wire
from drivetrain.serve.http.messages import Handler
from drivetrain.serve.settings import ConnectionLimits

_BACKLOG = 1024
_LOOK_EVERY_SECONDS = 0.01


class Listener:
    """An address and the connections that came in through it."""

    def __init__(self, handler: Handler, limits: ConnectionLimits) -> None:
        self._wire = Wire(handler, limits)
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many callers are connected."""
        return len(self._wire.connections)

    async def listen(self, held: socket.socket, context: ssl.SSLContext | None) -> None:
        """Take connections in from now on; with ``context`` over TLS."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._wire), sock=held, ssl=context, backlog=_BACKLOG,
            ssl_handshake_timeout=self._wire.limits.head_seconds if context else None,
        )  # fmt: skip

    async def drain(self, seconds: float) -> None:
        """Take no more connections, answer what was accepted, and cut who is not done after so many seconds."""
        if self._server is not None:
            self._server.close()
        self._wire.drain()
        loop = asyncio.get_running_loop()
        over = loop.time() + seconds
        while self._wire.connections and loop.time() < over:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        for connection in tuple(self._wire.connections):
            connection.abort()
        self._wire.close()
