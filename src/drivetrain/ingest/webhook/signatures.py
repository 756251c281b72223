"""Whether a delivery comes from whom it should: Standard Webhooks, GitHub's way, or a token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping

from drivetrain.connect.place import Place
from drivetrain.connect.webhook_signature import ID, SIGNATURE, TIMESTAMP, signature
from drivetrain.core.sources.pushed import CallerToken, GithubSignature, StandardSignature, WebhookSource

Headers = Mapping[str, str]
_MOMENT = re.compile(r"[0-9]{1,15}")


class Unsigned(Exception):
    """The delivery is not signed, or not by whom it should be. Its text is for the caller."""


def secrets_of(spec: WebhookSource, place: Place) -> tuple[str, ...]:
    """The secrets as they are now. Raises NotFound, and InvalidInput for one that is none."""
    found = tuple(place.secrets.get(ref) for ref in spec.auth.secrets)
    if isinstance(spec.auth, StandardSignature):
        for secret in found:
            signature(secret, "", 0, b"")
    return found


def verify(
    auth: StandardSignature | GithubSignature | CallerToken, secrets: Iterable[str], headers: Headers, body: bytes,
    now: float,
) -> None:  # fmt: skip
    """Let a delivery pass that any of the secrets signed; ``now`` is in seconds since 1970.

    Raises Unsigned, and InvalidInput for a secret that is none.
    """
    match auth:
        case StandardSignature():
            _verify_standard(secrets, headers, body, now, auth.tolerance_seconds)
        case GithubSignature():
            said = _asked(headers, "x-hub-signature-256").encode()
            wanted = (b"sha256=" + hmac.digest(secret.encode(), body, "sha256").hex().encode() for secret in secrets)
            _require(said, wanted)
        case CallerToken():
            name = auth.header.lower()
            said = _asked(headers, name).encode()
            prefix = b"Bearer " if name == "authorization" else b""
            _require(said, (prefix + secret.encode() for secret in secrets))


def _verify_standard(secrets: Iterable[str], headers: Headers, body: bytes, now: float, tolerance: float) -> None:
    name, at, said = (_asked(headers, header) for header in (ID, TIMESTAMP, SIGNATURE))
    if _MOMENT.fullmatch(at) is None:
        raise Unsigned(f"{TIMESTAMP} is no number of seconds")
    wanted = [signature(secret, name, int(at), body).encode() for secret in secrets]
    if not any(hmac.compare_digest(one.encode(), other) for one in said.split() for other in wanted):
        raise Unsigned("the signature does not fit")
    if abs(now - int(at)) > tolerance:
        raise Unsigned(f"{TIMESTAMP} is too far from our clock")


def _require(said: bytes, wanted: Iterable[bytes]) -> None:
    if not any(hmac.compare_digest(said, one) for one in wanted):
        raise Unsigned("the signature does not fit")


def _asked(headers: Headers, name: str) -> str:
    if name not in headers:
        raise Unsigned(f"the header {name} is missing")
    return headers[name]
