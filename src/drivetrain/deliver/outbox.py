"""What left through an outlet: a Delta table with a row for each prediction, and in its commits how far it is.

Rows and cursor are one commit, so whenever a process ends, what the table says is what was taken over there; only what
was sent after the newest commit is sent again, under the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Transient
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.compaction import Compaction
from drivetrain.store.tables import Commit, Table

KEY = "prediction_id"
SCHEMA = pa.schema(
    {
        KEY: pa.string(), "number": pa.int64(), "taken": pa.bool_(), "said": pa.string(),
        "at": pa.timestamp("us", tz="UTC"), "attempts": pa.int64(),
    }
)  # fmt: skip
_COMMIT_SECONDS = 1.0
_COMPACT_EVERY = 64
"""Commits, the first one being version 0."""
_DEAD = ~ds.field("taken")
_TOGETHER = 10_000


@dataclass(frozen=True)
class Cursor:
    """How far an outlet is: all predictions up to ``number`` are done, in the table with that identity.

    ``taken`` and ``dead`` count rows; ``at`` is the time of the commit (UTC).
    """

    service: str
    predictions: str
    number: int
    taken: int = 0
    dead: int = 0
    at: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """A prediction that the other side does not take: why, when it said so (UTC), and how often it was tried."""

    prediction_id: str
    number: int
    said: str
    at: datetime
    attempts: int


class Outbox:
    """The deliveries of one outlet. One process at a time writes to it."""

    def __init__(self, catalog: Catalog, outlet: str) -> None:
        self._table = Table(catalog.table_path("deliveries", outlet))
        self._waiting: list[pa.Table] = []
        self._committed = self._next = Cursor("", "", 0)
        self._since = monotonic()

    def cursor(self) -> Cursor | None:
        """How far the outlet is; None when nothing was ever delivered. What was noted, not committed, is forgotten."""
        self._waiting = []
        state = self._table.state()
        if state is None:
            return None
        self._committed = self._next = read_json(state.commit.cursor, Cursor)
        return self._next

    def begin(self, cursor: Cursor) -> None:
        """Where the next delivery starts; committed, with no row, where it is news."""
        self._next = cursor
        self.flush()

    def add(self, parcel: Parcel, receipts: Sequence[Receipt]) -> Cursor:
        """Note what became of a parcel; gives the cursor behind it. It is committed within a second of the next."""
        taken = sum(receipt.taken for receipt in receipts)
        done = self._next
        self._next = replace(
            done, number=parcel.numbers[-1], taken=done.taken + taken, dead=done.dead + len(receipts) - taken
        )
        self._waiting.append(_rows(parcel, receipts, [1] * len(receipts)))
        if monotonic() - self._since >= _COMMIT_SECONDS:
            self.flush()
        return self._next

    def reach(self, number: int) -> Cursor:
        """Everything up to there is done; what was not sent was not to be."""
        self._next = replace(self._next, number=number)
        return self._next

    def correct(self, parcel: Parcel, receipts: Sequence[Receipt], attempts: Sequence[int]) -> None:
        """Commit what became of dead letters that were sent again."""
        taken = sum(receipt.taken for receipt in receipts)
        self._next = replace(self._next, taken=self._next.taken + taken, dead=self._next.dead - taken)
        self._committed = self._next = replace(self._next, at=now())
        self._table.put(_rows(parcel, receipts, attempts), KEY, _commit(self._next))

    def flush(self) -> None:
        """Commit what was noted."""
        if self._next != self._committed or not self._table.exists():
            self._next = replace(self._next, at=now())
            self._table.append(pa.concat_tables([SCHEMA.empty_table(), *self._waiting]), _commit(self._next))
            self._committed, self._waiting = self._next, []
            if (self._table.version() + 1) % _COMPACT_EVERY == 0:
                with suppress(Transient):  # the next one merges these files too; what was delivered stands
                    Compaction([self._table]).wait()
        self._since = monotonic()

    def told(self, keys: Sequence[str]) -> tuple[str, ...]:
        """What the other side said of those it took, such as the number of a ticket."""
        if not self._table.exists():
            return ()
        wanted = ds.field("taken") & ds.field(KEY).isin(list(keys))
        said: list[str] = self._table.dataset().to_table(columns=["said"], filter=wanted)["said"].to_pylist()
        return tuple(said)

    def dead(self) -> Iterator[tuple[DeadLetter, ...]]:
        """All dead letters as they are now, some thousands at a time."""
        if not self._table.exists():
            return
        names = [name for name in SCHEMA.names if name != "taken"]
        for batch in self._table.dataset().to_batches(columns=names, filter=_DEAD, batch_size=_TOGETHER):
            if batch.num_rows:
                letters = (DeadLetter(**row) for row in batch.to_pylist())
                yield tuple(sorted(letters, key=lambda letter: letter.number))


def _rows(parcel: Parcel, receipts: Sequence[Receipt], attempts: Sequence[int]) -> pa.Table:
    at = pa.scalar(datetime.now(UTC), SCHEMA.field("at").type)
    columns = [
        parcel.keys, parcel.numbers, [receipt.taken for receipt in receipts], [receipt.said for receipt in receipts],
        pa.repeat(at, len(receipts)), attempts,
    ]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _commit(cursor: Cursor) -> Commit:
    return Commit(msgspec.json.encode(cursor).decode(), digest_of(cursor), cursor.taken + cursor.dead)
