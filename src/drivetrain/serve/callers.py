"""Who is calling, by API key, and how often they may."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from drivetrain.access.api_keys import FILE, hash_key, load_keys
from drivetrain.core.errors import DrivetrainError, Forbidden, Transient

_CACHED = 4096
_BEARER = "Bearer "


class Callers:
    """The API keys of the project in the state folder, read again when their file changes."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._stamp: tuple[int, int, int] | None = None
        self._keys: Mapping[bytes, str] = {}
        self._seen: dict[str, str] = {}
        self.refresh()

    @property
    def names(self) -> tuple[str, ...]:
        """All who have a key."""
        return tuple(self._keys.values())

    def refresh(self) -> None:
        """Read the keys again if their file changed; one that cannot be read leaves the keys as they are."""
        stamp = _stamp(self._state / FILE)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = load_keys(self._state)
        except DrivetrainError as error:
            print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - a server's log is its stderr
        self._seen.clear()

    def name(self, authorization: str | None, api_key: str | None) -> str:
        """The caller whose key stands in ``Authorization: Bearer`` or ``X-API-Key``; raises Forbidden."""
        key = authorization if authorization is not None else api_key
        if key is None:
            raise Forbidden(
                "key_missing", "no API key was sent", hint="send `Authorization: Bearer KEY` or `X-API-Key: KEY`"
            )
        name = self._seen.get(key)
        if name is None:
            name = self._seen[key] = self._find(key.removeprefix(_BEARER) if authorization is not None else key)
        return name

    def _find(self, secret: str) -> str:
        digest = hash_key(secret.strip())
        if digest not in self._keys:
            self.refresh()
        if digest not in self._keys:
            raise Forbidden(
                "key_unknown",
                "this API key is not known here",
                hint="`drivetrain keys add NAME` makes one; it works at once",
            )
        if len(self._seen) >= _CACHED:
            self._seen.clear()
        return self._keys[digest]


class RateLimit:
    """So many requests a second for each caller, with bursts of one second.

    The generic cell rate algorithm (ITU-T I.371): one number for a caller, the time at which their bucket is empty.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._burst = max(1.0, self._interval)
        self._empty_at: dict[str, float] = {}

    def take(self, caller: str, now: float | None = None) -> None:
        """Count one request at ``now`` (seconds of a steady clock). Raises Transient with the seconds to wait."""
        now = time.monotonic() if now is None else now
        empty_at = max(self._empty_at.get(caller, 0.0), now) + self._interval
        if empty_at - now > self._burst + 1e-9:
            raise RateLimited(empty_at - now - self._burst)
        self._empty_at[caller] = empty_at


class RateLimited(Transient):
    """A caller asks too often; ``seconds`` until the next request is taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "rate_limited", "too many requests with this API key", hint="ask again after Retry-After seconds"
        )
        self.seconds = max(1, math.ceil(seconds))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
