"""Sessions: rows of one user, with no longer gap between them, get one id. It is the same when they are read again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from drivetrain.core.sources.logs import Sessions

_MOST = 100_000


@dataclass(frozen=True)
class Seen:
    """The session a user is in: its id, and when its last row was, in seconds since 1970."""

    session: str
    last: float


class SessionIds:
    """Gives rows the ids of their sessions; ``open`` is what the next load needs to go on."""

    def __init__(self, spec: Sessions, before: Mapping[str, Seen]) -> None:
        self._spec, self._gap = spec, spec.gap_minutes * 60
        self._seen = dict(before)
        self._newest = max((seen.last for seen in before.values()), default=0.0)

    def add_to(self, row: dict[str, str | None]) -> None:
        """Add the id of the row's session; without a user or a time it is missing."""
        user, time = row.get(self._spec.user), _seconds(row.get(self._spec.time))
        row[self._spec.column] = None if user is None or time is None else self._session(user, time)

    def open(self) -> dict[str, Seen]:
        """The sessions that may go on; of more than 100,000 the latest."""
        kept = {user: seen for user, seen in self._seen.items() if seen.last >= self._newest - self._gap}
        if len(kept) > _MOST:
            latest = sorted(kept, key=lambda user: kept[user].last)[-_MOST:]
            kept = {user: kept[user] for user in latest}
        self._seen = kept
        return dict(kept)

    def _session(self, user: str, time: float) -> str:
        seen = self._seen.get(user)
        if seen is None or abs(time - seen.last) > self._gap:
            seen = Seen(hashlib.sha256(f"{time} {user}".encode()).hexdigest()[:16], time)
        self._seen[user] = Seen(seen.session, max(seen.last, time))
        self._newest = max(self._newest, time)
        return seen.session


def _seconds(text: str | None) -> float | None:
    """A time as seconds since 1970: ISO 8601 (UTC when it tells no zone), or such seconds."""
    if text is None:
        return None
    try:
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
