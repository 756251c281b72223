"""Where a service is, who asks, and whom to trust that it is the service."""

from __future__ import annotations

import ssl
from pathlib import Path

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationParseError, SSLError
from urllib3.util import Url, parse_url

from drivetrain.core.errors import InvalidInput


def address(url: str) -> Url:
    """The parts of the address of a service. Raises InvalidInput, which does not show it: it may hold a password."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = Url()
    if parts.scheme not in ("http", "https") or not parts.host or parts.auth or parts.query or parts.fragment:
        raise InvalidInput(
            "url_invalid",
            "this is not the address of a service",
            where="url",
            hint="write http://HOST:PORT or https://HOST:PORT, and give the key by itself",
        )
    return parts


def sendable(key: str) -> str:
    """The key, when a header can hold it. Raises InvalidInput, which does not show it."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput(
            "key_invalid", "this cannot be an API key", where="key", hint="`drivetrain keys add NAME` makes one"
        )
    return key


def open_pool(parts: Url, size: int, ca: str | Path | None) -> HTTPConnectionPool:
    """A pool that keeps up to ``size`` connections. Raises InvalidInput for a file without certificates."""
    host = parts.host or ""
    if parts.scheme == "http":
        return HTTPConnectionPool(host, parts.port, maxsize=size)
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise InvalidInput(
            "ca_unreadable", f"no certificates can be read there: {error}", where=str(ca), hint="give a PEM file"
        ) from None
    return HTTPSConnectionPool(host, parts.port, maxsize=size, ssl_context=context)


def check_certificate(error: HTTPError, place: str) -> None:
    """Raise when it is the certificate: no repeat will help."""
    cause = error.args[0] if isinstance(error, SSLError) and error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        raise InvalidInput(
            "certificate_untrusted",
            f"the certificate of the service is not trusted: {cause.verify_message}",
            where=place,
            hint="give the PEM file of its authority as `ca`",
        ) from None
