"""API keys of the service: 256 random bits each, shown once; only their SHA-256 is kept.

A key that holds 256 random bits cannot be guessed from its hash, so a slow password hash would only slow the server
down; and comparing hashes gives away nothing about the key by the time it takes.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from drivetrain.access.scopes import EVERYTHING, SCOPES, Scope
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.store.folders import write_file
from drivetrain.store.locks import alone

FILE = "api-keys.json"
LOCK = "api-keys.lock"
PREFIX = "dt_"
MOST_KEYS = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Limits(NamedTuple):
    """How much a caller may ask; None: as much as they like. A day begins at midnight UTC."""

    requests_per_second: float | None = None
    rows_per_day: int | None = None


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key: who calls with it, its SHA-256 (64 hexadecimal digits), since when, and its own limits.

    A limit that is None is the service's. ``only`` is what it is good for; None: everything.
    """

    name: str
    sha256: str
    made_at: str
    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    rows_per_day: Annotated[int, msgspec.Meta(ge=1)] | None = None
    only: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)] | None = None

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it is good for."""
        return EVERYTHING if self.only is None else frozenset(self.only)

    def limits(self, service: Limits) -> Limits:
        """The limits that hold for it in a service."""
        return Limits(
            service.requests_per_second if self.requests_per_second is None else self.requests_per_second,
            service.rows_per_day if self.rows_per_day is None else self.rows_per_day,
        )


def create_key(
    state: Path,
    name: str,
    *,
    requests_per_second: float | None = None,
    rows_per_day: int | None = None,
    only: Sequence[Scope] = (),
) -> str:
    """Make a key for a caller and give it: the only moment it can be seen.

    ``state`` is the folder ``.drivetrain`` of the project; ``only`` is what the key is good for, empty for everything.
    Raises InvalidInput for a bad or taken name, limits that let nothing through, a scope that there is not, and one key
    too many.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            "api_key_name_invalid",
            f"{name[:80]!r} cannot name a caller",
            hint="use 1 to 64 letters, digits and . _ @ - and begin with a letter or digit",
        )
    _check_limits(requests_per_second, rows_per_day)
    scopes = _scopes(only)
    with alone(state / LOCK):
        known = list_keys(state)
        if len(known) >= MOST_KEYS:
            raise InvalidInput("api_keys_too_many", f"there are {MOST_KEYS} API keys already", hint="revoke some")
        if any(key.name == name for key in known):
            raise InvalidInput("api_key_exists", f"{name} has a key already", hint="revoke it, or use another name")
        secret = PREFIX + secrets.token_urlsafe(32)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        made = ApiKey(name, hash_key(secret).hex(), made_at, requests_per_second, rows_per_day, scopes)
        _write(state, (*known, made))
    return secret


def set_limits(state: Path, name: str, *, requests_per_second: float | None, rows_per_day: int | None) -> None:
    """Give a key other limits; None is the service's. Raises NotFound, and InvalidInput for what lets nothing through.

    Its secret stays, and so does what it used today; the running server takes the limits up within a second.
    """
    _check_limits(requests_per_second, rows_per_day)
    with alone(state / LOCK):
        known = list_keys(state)
        old = _named(known, name)
        new = replace(old, requests_per_second=requests_per_second, rows_per_day=rows_per_day)
        _write(state, tuple(new if key is old else key for key in known))


def revoke_key(state: Path, name: str) -> None:
    """Forget a key: whoever calls with it is refused once the service reads the keys again. Raises NotFound."""
    with alone(state / LOCK):
        known = list_keys(state)
        revoked = _named(known, name)
        _write(state, tuple(key for key in known if key is not revoked))


def list_keys(state: Path) -> tuple[ApiKey, ...]:
    """The keys, oldest first; raises InvalidInput when the file is not what was written."""
    path = state / FILE
    try:
        return read_json(path.read_bytes(), tuple[ApiKey, ...])
    except FileNotFoundError:
        return ()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(
            "api_keys_unreadable",
            f"not a list of API keys: {error}",
            where=str(path),
            hint="move it away, make new keys",
        ) from None


def load_keys(state: Path) -> Mapping[bytes, ApiKey]:
    """SHA-256 (32 raw bytes) of every key -> what is known of it; look a caller up with ``hash_key``."""
    try:
        return {bytes.fromhex(key.sha256): key for key in list_keys(state)}
    except ValueError:
        raise InvalidInput("api_keys_unreadable", "a hash is not hexadecimal", where=str(state / FILE)) from None


def hash_key(secret: str) -> bytes:
    """SHA-256 of a key as a caller sends it, 32 raw bytes."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _named(known: tuple[ApiKey, ...], name: str) -> ApiKey:
    for key in known:
        if key.name == name:
            return key
    others = examples(key.name for key in known) or "none"
    raise NotFound("api_key_unknown", f"there is no API key called {name!r}", hint=f"known: {others}")


def _check_limits(requests_per_second: float | None, rows_per_day: int | None) -> None:
    if requests_per_second is not None and not 0 < requests_per_second < math.inf:
        raise _limit_invalid("requests a second", requests_per_second, "a number above 0; 0.1 is one in ten seconds")
    if rows_per_day is not None and not rows_per_day >= 1:
        raise _limit_invalid("rows a day", rows_per_day, "a whole number from 1; revoke the key to let nothing through")


def _scopes(only: Sequence[Scope]) -> tuple[Scope, ...] | None:
    """Each once, in the order of all; None for everything."""
    unknown = [scope for scope in only if scope not in EVERYTHING]
    if unknown:
        raise InvalidInput(
            "api_key_scope_unknown", f"no question is called {unknown[0]!r}", hint=f"use {', '.join(SCOPES)}"
        )
    return tuple(scope for scope in SCOPES if scope in only) or None


def _limit_invalid(what: str, given: float, hint: str) -> InvalidInput:
    return InvalidInput("api_key_limit_invalid", f"{given} {what} is no limit for a key", hint=hint)


def _write(state: Path, keys: tuple[ApiKey, ...]) -> None:
    write_file(state / FILE, msgspec.json.format(msgspec.json.encode(keys), indent=1) + b"\n", mode=0o600)
