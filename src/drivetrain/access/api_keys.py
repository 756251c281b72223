"""API keys of the service: 256 random bits each, shown once; only their SHA-256 is kept.

A key that holds 256 random bits cannot be guessed from its hash, so a slow password hash would only slow the server
down; and comparing hashes gives away nothing about the key by the time it takes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.store.folders import write_file
from drivetrain.store.locks import alone

FILE = "api-keys.json"
LOCK = "api-keys.lock"
PREFIX = "dt_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key: who calls with it, its SHA-256 (64 hexadecimal digits), and since when."""

    name: str
    sha256: str
    made_at: str


def create_key(state: Path, name: str) -> str:
    """Make a key for a caller and give it: the only moment it can be seen. Raises InvalidInput for a bad or taken name.

    ``state`` is the folder ``.drivetrain`` of the project.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            "api_key_name_invalid",
            f"{name[:80]!r} cannot name a caller",
            hint="use 1 to 64 letters, digits and . _ @ - and begin with a letter or digit",
        )
    with alone(state / LOCK):
        known = list_keys(state)
        if any(key.name == name for key in known):
            raise InvalidInput("api_key_exists", f"{name} has a key already", hint="revoke it, or use another name")
        secret = PREFIX + secrets.token_urlsafe(32)
        made = ApiKey(name, hash_key(secret).hex(), datetime.now(UTC).isoformat(timespec="seconds"))
        _write(state, (*known, made))
    return secret


def revoke_key(state: Path, name: str) -> None:
    """Forget a key: whoever calls with it is refused once the service reads the keys again. Raises NotFound."""
    with alone(state / LOCK):
        known = list_keys(state)
        kept = tuple(key for key in known if key.name != name)
        if len(kept) == len(known):
            others = examples(key.name for key in known) or "none"
            raise NotFound("api_key_unknown", f"there is no API key called {name!r}", hint=f"known: {others}")
        _write(state, kept)


def list_keys(state: Path) -> tuple[ApiKey, ...]:
    """The keys, oldest first; raises InvalidInput when the file is not what was written."""
    path = state / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[ApiKey, ...])
    except FileNotFoundError:
        return ()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(
            "api_keys_unreadable",
            f"not a list of API keys: {error}",
            where=str(path),
            hint="move it away, make new keys",
        ) from None


def load_keys(state: Path) -> Mapping[bytes, str]:
    """SHA-256 (32 raw bytes) of every key -> the name of its caller; look a caller up with ``hash_key``."""
    try:
        return {bytes.fromhex(key.sha256): key.name for key in list_keys(state)}
    except ValueError:
        raise InvalidInput("api_keys_unreadable", "a hash is not hexadecimal", where=str(state / FILE)) from None


def hash_key(secret: str) -> bytes:
    """SHA-256 of a key as a caller sends it, 32 raw bytes."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _write(state: Path, keys: tuple[ApiKey, ...]) -> None:
    write_file(state / FILE, msgspec.json.format(msgspec.json.encode(keys), indent=1) + b"\n", mode=0o600)
