"""Encrypted connections to brokers."""

from __future__ import annotations

import ssl
from pathlib import Path

from drivetrain.core.connections import ClientTls
from drivetrain.core.errors import InvalidInput


def client_context(tls: ClientTls, home: Path, code: str, where: str) -> ssl.SSLContext:
    """What ``tls`` says, with paths below ``home``. Raises InvalidInput ``code`` when a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(home / tls.ca) if tls.ca else None)
        if tls.certificate is not None and tls.key is not None:
            context.load_cert_chain(home / tls.certificate, home / tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        hint = "correct `ca`, `certificate` and `key` below `tls`: PEM files, the key without a pass phrase"
        raise InvalidInput(code, f"a file of `tls` cannot be used: {error}", where=where, hint=hint) from None
    return context
