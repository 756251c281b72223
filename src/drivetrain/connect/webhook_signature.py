"""Signatures of webhooks, as Standard Webhooks 1.0 has them: HMAC-SHA256 of ``id.timestamp.body``.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256

from drivetrain.core.errors import InvalidInput

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of one secret: ``v1,`` and base64. ``timestamp`` is in seconds since 1970.

    A secret that begins with ``whsec_`` is base64 behind it; any other is used as it is. Raises InvalidInput for one
    that is not what it begins with.
    """
    signed = b"%s.%d." % (message.encode(), timestamp) + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, sha256)).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise InvalidInput(
            "webhook_secret_invalid",
            "what follows `whsec_` is not base64",
            where="secret",
            hint="copy the whole secret, as whoever receives the calls shows it",
        ) from None
