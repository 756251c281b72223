"""Which rows of a source are new, where the source cannot tell: it is asked again, and known rows are passed over.

- ``Since``: the source gives rows from a value on; those known at that value are remembered by digest.
- ``Whole``: with a key, all rows stand for the whole source; nothing is new while they are what they were.
- ``Grown``: without a key, rows may only be added at the end; they are new after so many that are what they were.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

import msgspec
import pyarrow as pa

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import canonical_json, digest_bytes
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.schema import MomentFormat
from drivetrain.ingest.moments import NEVER, bound_of, moment_of, text_of
from drivetrain.ingest.reading import Position
from drivetrain.ingest.rows_digest import RowsDigest
from drivetrain.store.files.batches import Change

MOST_SEEN = 10_000
_SHORT = 16  # hexadecimal digits: two of 10,000 rows are taken for one in 1 of 10^11 loads


class Seen(Protocol):
    """What a load knows of the loads before it."""

    change: Change

    def fresh(self, rows: pa.Table) -> pa.Table:
        """Of these rows of text, which come after those before, the new ones. Raises Refused, InvalidInput."""
        ...

    def position(self) -> Position | None:
        """After all rows: where the next load goes on; None when nothing was new. Raises Refused, InvalidInput."""
        ...


@dataclass(frozen=True)
class Count:
    """The cursor of a source that is read whole: how many rows, and their SHA-256."""

    rows: int
    sha256: str


class Grown:
    """Rows are added at the end only."""

    change = Change.ADD

    def __init__(self, cursor: str, where: str) -> None:
        self._before = read_json(cursor, Count) if cursor else Count(0, RowsDigest().hexdigest())
        self._where, self._all, self._new = where, RowsDigest(), RowsDigest()

    def fresh(self, rows: pa.Table) -> pa.Table:
        """The rows after the known ones. Raises Refused when those are not what they were."""
        known = rows.slice(0, max(0, self._before.rows - self._all.rows))
        self._all.add(known)
        found = rows.slice(known.num_rows)
        if found.num_rows and not self._new.rows:
            self._check()
        self._all.add(found)
        self._new.add(found)
        return found

    def position(self) -> Position | None:
        """Behind the last row."""
        if not self._new.rows:
            self._check()
            return None
        cursor = Count(self._all.rows, self._all.hexdigest())
        return Position(msgspec.json.encode(cursor).decode(), self._new.hexdigest())

    def _check(self) -> None:
        if Count(self._all.rows, self._all.hexdigest()) != self._before:
            raise Refused(
                "source_rewritten",
                f"the first {self._before.rows:,} rows are not what was loaded; loading them again would double rows",
                where=self._where,
                hint="give the contract a `key`, so that changed rows are found; or ask for new rows only",
            )


class Whole:
    """All rows are the source; rows that are gone go."""

    change = Change.WHOLE

    def __init__(self, cursor: str, where: str) -> None:
        self._before = read_json(cursor, Count) if cursor else None
        self._where, self._all = where, RowsDigest()

    @property
    def has_before(self) -> bool:
        """Whether there is something to compare with."""
        return self._before is not None

    def fresh(self, rows: pa.Table) -> pa.Table:
        """All."""
        self._all.add(rows)
        return rows

    def position(self) -> Position | None:
        """What the source is now; None when that is what it was. Raises Refused when no row is left."""
        now = Count(self._all.rows, self._all.hexdigest())
        if now == self._before or (self._before is None and not now.rows):
            return None
        if not now.rows:
            raise Refused(
                "source_emptied",
                "not one row came, where there were some: all rows of the table would go",
                where=self._where,
                hint="look at the source; nothing was changed",
            )
        return Position(msgspec.json.encode(now).decode(), now.sha256)


@dataclass(frozen=True)
class Newest:
    """The cursor of a source that is asked for what is newer: the largest value, as it is written and as a number.

    ``seen`` holds the rows at or near it, each once for every time it came.
    """

    value: str
    moment: Decimal
    seen: tuple[tuple[Decimal, str], ...] = ()


@dataclass(frozen=True)
class Growth:
    """How rows tell what is newer: a column, how its values are written, and how late rows may appear."""

    column: str
    format: MomentFormat = "iso"
    look_back_seconds: int = 0


class Since:
    """Rows from a value on. Each row comes once from the source, so equal rows are several; not so with a key."""

    def __init__(self, growth: Growth, cursor: str, where: str, *, keyed: bool) -> None:
        self.change = Change.PUT if keyed else Change.ADD
        self._growth, self._where, self._keyed = growth, where, keyed
        before = read_json(cursor, Newest) if cursor else Newest("", NEVER)
        self._value, self._moment = before.value, before.moment
        self._from = self._bound(before.moment)
        self._left = Counter(digest for _, digest in before.seen)
        self._latest_known = max((moment for moment, _ in before.seen), default=NEVER)
        self._near = list(before.seen)
        self._new, self._prune_at = RowsDigest(), 2 * MOST_SEEN
        self._now = moment_of(datetime.now(UTC).isoformat(), "iso")

    def fresh(self, rows: pa.Table) -> pa.Table:
        """Rows at or after what is asked for that are not known. Raises InvalidInput for a row without the value."""
        values = self._values(rows)
        moments = [self._read(value) for value in values]
        for value, moment in zip(values, moments, strict=True):
            if moment > self._moment:
                self._note(value, moment)
        asked = [place for place, moment in enumerate(moments) if moment >= self._from]
        bound = self._bound(self._moment)
        looked_at = [place for place in asked if moments[place] <= self._latest_known or moments[place] >= bound]
        known = set()
        for place, digest in zip(looked_at, _digests(_taken(rows, looked_at)), strict=True):
            if self._left[digest] > 0:
                self._left[digest] -= 1
                known.add(place)
            else:
                self._near.append((moments[place], digest))
        self._prune()
        found = _taken(rows, [place for place in asked if place not in known])
        self._new.add(found)
        return found

    def position(self) -> Position | None:
        """At the largest value. Raises InvalidInput when too many rows are at or near it."""
        if not self._new.rows:
            return None
        near = self._still_near()
        if len(near) > MOST_SEEN and not self._keyed:
            raise InvalidInput(
                "look_back_too_wide",
                f"{len(near):,} rows are at or near the largest {self._growth.column}: too many to remember",
                where=self._where,
                hint="give the contract a `key`, or lower `look_back_seconds`",
            )
        cursor = Newest(self._value, self._moment, tuple(near) if len(near) <= MOST_SEEN else ())
        return Position(msgspec.json.encode(cursor).decode(), self._new.hexdigest())

    def _values(self, rows: pa.Table) -> list[str | None]:
        if self._growth.column not in rows.column_names:
            return [None] * rows.num_rows
        values: list[str | None] = rows.column(self._growth.column).to_pylist()
        return values

    def _note(self, value: str | None, moment: Decimal) -> None:
        """A value ahead of our clock must not make the next load miss the rows before it."""
        if self._growth.format == "number" or moment <= self._now:
            self._value, self._moment = value or "", moment
        elif self._now > self._moment:
            self._value, self._moment = text_of(self._now, self._growth.format), self._now

    def _bound(self, moment: Decimal) -> Decimal:
        return bound_of(moment, self._growth.format, self._growth.look_back_seconds)

    def _prune(self) -> None:
        if len(self._near) > self._prune_at:
            self._near = self._still_near()
            self._prune_at = max(2 * MOST_SEEN, 2 * len(self._near))

    def _still_near(self) -> list[tuple[Decimal, str]]:
        bound = self._bound(self._moment)
        return [(moment, digest) for moment, digest in self._near if moment >= bound]

    def _read(self, value: str | None) -> Decimal:
        try:
            return moment_of(value or "", self._growth.format)
        except ValueError:
            raise InvalidInput(
                "incremental_invalid",
                f"a row's {self._growth.column} is {value!r}, which is not `{self._growth.format}`",
                where=self._where,
                hint="name a column that every row has a value of, and how it is written",
            ) from None


def _taken(rows: pa.Table, places: list[int]) -> pa.Table:
    return rows if len(places) == rows.num_rows else rows.take(pa.array(places, pa.int64()))


def _digests(rows: pa.Table) -> list[str]:
    """A short digest of each row; what is missing does not count, as columns come and go."""
    held = ({name: value for name, value in row.items() if value is not None} for row in rows.to_pylist())
    return [digest_bytes(canonical_json(row))[:_SHORT] for row in held]
