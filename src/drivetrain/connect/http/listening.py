"""The address that a server listens on: claimed once, before anything is started, and shared by its workers."""

from __future__ import annotations

import socket

from drivetrain.core.errors import InvalidInput


def claim(host: str, port: int, *, setting: str = "port") -> socket.socket:
    """Hold an address for the workers, who share it (SO_REUSEPORT); port 0 picks a free one.

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
            where=setting,
            hint="end what listens there, or let 0 pick a free port",
        ) from None


def authority(host: str, port: int) -> str:
    """An address as callers write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(held: socket.socket, host: str, *, tls: bool = False) -> str:
    """Where a server answers."""
    return f"{'https' if tls else 'http'}://{authority(host, held.getsockname()[1])}"


def shared(host: str, port: int) -> socket.socket:
    """One more socket at an address that is held: the kernel gives each connection to one of them."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return _bound(family, address, shared=True)


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
