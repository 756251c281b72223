"""Who is let in, and how soon."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import uvloop

from drivetrain.connect.http.listener import Listener
from drivetrain.connect.http.listening import claim, shared
from drivetrain.connect.http.settings import ConnectionLimits

from .conftest import Tiny


def test_many_connections_are_taken_in_one_turn_of_a_busy_loop():
    """A turn may last long: who connects must not wait for as many of them as others connect."""
    callers, turns = 100, 0

    async def steps() -> None:
        nonlocal turns
        listener = Listener(Tiny(), ConnectionLimits())
        with claim("127.0.0.1", 0) as held, ExitStack() as opened:
            await listener.listen(shared("127.0.0.1", held.getsockname()[1]), None)
            for _ in range(callers):
                opened.enter_context(socket.create_connection(held.getsockname()))
            while listener.connections < callers:
                turns += 1
                await asyncio.sleep(0)
        await listener.drain(1.0)

    uvloop.run(asyncio.wait_for(steps(), 20))
    assert turns <= callers / 10
