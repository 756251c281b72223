"""The address that a server listens on: claimed before anything is started, and asked once it should answer."""

from __future__ import annotations

import asyncio
import socket

from drivetrain.core.errors import InvalidInput


def claim(host: str, port: int) -> socket.socket:
    """Hold an address for the HTTP server, which shares it (SO_REUSEPORT); port 0 picks a free one.

    Raises InvalidInput when somebody listens there already, or when this machine does not have the address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if port:
            _bound(family, address, shared=False).close()
        return _bound(family, address, shared=True)
    except OSError as error:
        raise InvalidInput(
            "address_unusable",
            f"cannot listen on {host}:{port}: {error.strerror}",
            where="--port",
            hint="end what listens there, or let `--port 0` pick a free one",
        ) from None


def url_of(held: socket.socket, host: str) -> str:
    """The address as callers write it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{held.getsockname()[1]}"


async def answering(held: socket.socket, path: str) -> None:
    """Wait until a GET of ``path`` is answered at the address with 200."""
    host, port = held.getsockname()[:2]
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.005)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = await reader.readline()
        writer.close()
        if b" 200 " in status:
            return


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
