"""What was delivered, on disk until it stands in the table; and the names of deliveries, for some hours longer.

A SQLite file that outlasts kills of the process and of the machine: when ``add`` returns, what it was given is there.
Each row of a delivery has a number, counted from 1 and never used again.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 30.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS inbox (id TEXT NOT NULL, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    first INTEGER PRIMARY KEY, rows INTEGER NOT NULL, at REAL NOT NULL, name TEXT UNIQUE, digest BLOB NOT NULL,
    size INTEGER NOT NULL, body BLOB
);
CREATE INDEX IF NOT EXISTS waiting ON deliveries (first, size) WHERE body IS NOT NULL;
INSERT INTO inbox SELECT '{id}', 1 WHERE NOT EXISTS (SELECT 1 FROM inbox);
COMMIT;
"""


@dataclass(frozen=True)
class Delivery:
    """What came: JSON text of so many rows, with the name that its sender gave it (None: no name)."""

    name: str | None
    digest: bytes
    rows: int
    body: bytes


@dataclass(frozen=True)
class Kept:
    """A delivery in the inbox; ``first`` is the number of its first row, ``at`` when it came, in seconds since 1970."""

    first: int
    rows: int
    at: float
    name: str | None
    body: bytes


class Inbox:
    """One connection to the inbox of a source, for one thread at a time. ``id`` changes when it is made anew."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._sql = sqlite3.connect(
            folder / "inbox.db", timeout=_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._sql.executescript(_SCHEMA.format(id=uuid.uuid4().hex))
        self.id = str(self._one("SELECT id FROM inbox"))

    def add(self, deliveries: Sequence[Delivery]) -> list[Delivery | None]:
        """Keep deliveries that have rows, all together or none; those whose names are known already are not kept again.

        Gives for each the one that is known by its name; None: it is new. Raises sqlite3.Error (a full disk).
        """
        at, known = time.time(), []
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            following = self.next
            for one in deliveries:
                before = self._known(one.name)
                known.append(before)
                if before is None:
                    self._sql.execute(
                        "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (following, one.rows, at, one.name, one.digest, len(one.body), one.body),
                    )
                    following += one.rows
            self._sql.execute("UPDATE inbox SET next = ?", (following,))
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise
        return known

    @property
    def next(self) -> int:
        """The number of the row to come."""
        return int(str(self._one("SELECT next FROM inbox")))

    def first(self) -> int:
        """The number of the oldest row that waits; of the one to come when there is none."""
        found = self._one("SELECT min(first) FROM deliveries WHERE body IS NOT NULL")
        return self.next if found is None else int(str(found))

    def waiting(self) -> int:
        """How many bytes wait to be loaded."""
        return int(str(self._one("SELECT coalesce(sum(size), 0) FROM deliveries WHERE body IS NOT NULL")))

    def deliveries(self, first: int) -> Iterator[Kept]:
        """Those that wait, from the row of that number on, as they are when it begins."""
        rows = self._sql.cursor().execute(
            "SELECT first, rows, at, name, body FROM deliveries WHERE body IS NOT NULL AND first >= ? ORDER BY first",
            (first,),
        )
        for one in rows:
            yield Kept(*one)

    def forget(self, before: int, hours: float) -> None:
        """Let go of rows before the number, and of names that came more than so many hours ago."""
        self._sql.execute("UPDATE deliveries SET body = NULL WHERE body IS NOT NULL AND first + rows <= ?", (before,))
        self._sql.execute(
            "DELETE FROM deliveries WHERE body IS NULL AND (name IS NULL OR at < ?)", (time.time() - hours * 3600,)
        )

    def close(self) -> None:
        """Let go of the file."""
        self._sql.close()

    def _known(self, name: str | None) -> Delivery | None:
        if name is None:
            return None
        row = self._sql.execute("SELECT name, digest, rows, '' FROM deliveries WHERE name = ?", (name,)).fetchone()
        return Delivery(*row) if row else None

    def _one(self, query: str) -> object:
        return self._sql.execute(query).fetchone()[0]
