"""Encrypted connections to brokers."""

from __future__ import annotations

import ssl
from pathlib import Path

from drivetrain.core.connections import ClientTls
from drivetrain.core.errors import InvalidInput


def not_encrypted(error: Exception, option: str) -> tuple[str, str]:
    """What to say of a connection that could not be encrypted, and the cure; ``option`` names the other side."""
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if reason == "WRONG_VERSION_NUMBER":
        cure = f"this port speaks without TLS: name the one for TLS in `{option}`, or leave `tls` out"
    else:
        cure = f"name the authority of the certificate in `tls.ca`, and in `{option}` the host that it is made out to"
    return f"no encrypted connection: {reason}", cure


def client_context(tls: ClientTls, home: Path, code: str, where: str) -> ssl.SSLContext:
    """What ``tls`` says, with paths below ``home``. Raises InvalidInput ``code`` when a file cannot be used."""
    try:
        for file in filter(None, (tls.ca, tls.certificate, tls.key)):
            (home / file).open("rb").close()  # what the library says of a file does not name it
        context = ssl.create_default_context(cafile=str(home / tls.ca) if tls.ca else None)
        if tls.certificate is not None and tls.key is not None:
            context.load_cert_chain(home / tls.certificate, home / tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        hint = "correct `ca`, `certificate` and `key` below `tls`: PEM files, the key without a pass phrase"
        raise InvalidInput(code, f"a file of `tls` cannot be used: {error}", where=where, hint=hint) from None
    return context
