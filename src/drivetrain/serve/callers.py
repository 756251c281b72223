"""Who is calling, by API key, and how much they may ask."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from drivetrain.access.api_keys import FILE, ApiKey, Limits, hash_key, load_keys
from drivetrain.access.caller import REAL_TIME, Caller, Clock
from drivetrain.access.scopes import OutOfScope, Scope
from drivetrain.access.usage import UsageTable
from drivetrain.core.errors import DrivetrainError, Forbidden

_REMEMBERED = 4096


class Callers:
    """The API keys of the project in the folder ``state``, read again when their file changes.

    ``requests_per_second`` and ``rows_per_day`` are the service's: they hold for keys that have no limits of their own.
    """

    def __init__(
        self,
        state: Path,
        usage: UsageTable,
        *,
        requests_per_second: float | None = None,
        rows_per_day: int | None = None,
        clock: Clock = REAL_TIME,
    ) -> None:
        self._file = state / FILE
        self._usage = usage
        self._limits = Limits(requests_per_second, rows_per_day)
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._keys: Mapping[bytes, ApiKey] = {}
        self._callers: dict[bytes, Caller] = {}
        self._seen: dict[str | None, Caller] = {}
        self.refresh()

    @property
    def names(self) -> tuple[str, ...]:
        """All who have a key."""
        return tuple(caller.name for caller in self._callers.values())

    def refresh(self) -> None:
        """Read the keys again if their file changed; one that cannot be read leaves the keys as they are.

        To be called once a second: it also takes in what workers use that were started later.
        """
        stamp, wider = _stamp(self._file), self._usage.widen()
        if stamp == self._stamp and not wider:
            return
        try:
            if stamp != self._stamp:
                self._stamp = stamp
                self._keys = load_keys(self._file.parent)
            records = self._usage.records(self._keys.keys())
        except DrivetrainError as error:
            print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - a server's log is its stderr
            return
        self._callers = {
            digest: Caller(key.name, key.limits(self._limits), records[digest], self._clock, key.scopes)
            for digest, key in self._keys.items()
        }
        self._seen.clear()

    def only(self, scope: Scope) -> Entry:
        """The entry to one kind of question."""
        return Entry(self, scope)

    def find(self, authorization: str | None, api_key: str | None) -> Caller:
        """The caller whose key stands in ``Authorization: Bearer`` or ``X-API-Key``; raises Forbidden."""
        sent = api_key if authorization is None else authorization
        return self._seen.get(sent) or self._find(sent)

    def _find(self, sent: str | None) -> Caller:
        if sent is None:
            raise Forbidden(
                "key_missing", "no API key was sent", hint="send `Authorization: Bearer KEY` or `X-API-Key: KEY`"
            )
        scheme, _, secret = sent.partition(" ")
        digest = hash_key(secret.strip() if scheme.lower() == "bearer" else sent.strip())
        if digest not in self._callers:
            self.refresh()  # it may be new; of a file that did not change this reads the stamp only, however often
        caller = self._callers.get(digest)
        if caller is None:
            raise Forbidden(
                "key_unknown",
                "this API key is not known here",
                hint="`drivetrain keys add NAME` makes one; it works at once",
            )
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[sent] = caller
        return caller


class Entry:
    """Lets those pass whose key is good for one kind of question, as often as they may ask."""

    def __init__(self, callers: Callers, scope: Scope) -> None:
        self.scope = scope
        self._callers = callers

    def admit(self, authorization: str | None, api_key: str | None) -> Caller:
        """Who asks; see ``Callers.find``. Raises Forbidden, and RateLimited for who asks too often."""
        caller = self._callers.find(authorization, api_key)
        if self.scope not in caller.scopes:
            raise OutOfScope(caller.name, self.scope)
        caller.admit()
        return caller


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
