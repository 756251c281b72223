"""What is new in a table of a lake since the version that was loaded, whatever the format of the table.

- Versions that only added rows: those rows. Versions that only moved rows into other files: nothing.
- Anything else, or a history that is no longer there: the whole table in place of what was loaded, which takes a
  contract with a key; else it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.ingest.reading import Batch, Position
from drivetrain.store.files.batches import Change
from drivetrain.store.files.parquet import typed_batch

_ROWS = 65_536


class DataFile(Protocol):
    """A file of a table: its path below the table, its size in bytes."""

    @property
    def path(self) -> str:
        """Below the table; empty for all of the table's files together."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


@dataclass(frozen=True)
class Rows:
    """Rows of a file, one after the other; ``kept`` says which of them still count (None: all)."""

    batch: pa.RecordBatch
    kept: pa.BooleanArray | None = None


F = TypeVar("F", bound=DataFile)


class LakeVersion(Protocol[F]):
    """One version of a table. Everything raises NotFound, Forbidden, Refused, InvalidInput or Transient."""

    @property
    def id(self) -> str:
        """The table's own id: another one when it was deleted and made anew."""
        ...

    @property
    def version(self) -> int:
        """The version that this is."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        ...

    def files(self) -> list[F]:
        """The files that hold its rows, in an order that stays."""
        ...

    def added_since(self, version: int) -> list[F] | str:
        """The files with the rows that came after ``version``, in order; or why it takes more than adding rows."""
        ...

    def rows(self, file: F) -> Iterator[Rows]:
        """The rows of a file, in the columns of this version."""
        ...

    def rewritten(self, found: str, hint: str) -> Refused:
        """The error for rows that were changed."""
        ...


def batches_of(parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows of a file, a row group at a time: fetched in few requests, and no more than that held in memory."""
    for group in range(parquet.num_row_groups):
        yield from parquet.iter_batches(batch_size=_ROWS, row_groups=[group])


@dataclass(frozen=True)
class Cursor:
    """The table's id, and the version that was loaded."""

    table: str
    version: int


def read_lake(name: str, table: LakeVersion[F], cursor: str, *, keyed: bool) -> Iterator[Batch | Position]:
    """What is new in ``table``, called ``name``, since the version of the cursor; ``keyed``: it may be read whole.

    Raises what the table raises, and Refused when rows were changed that cannot be replaced.
    """
    here = Cursor(table.id, table.version)
    told = read_json(cursor, Cursor) if cursor else None
    if told == here:
        return
    files, change = _plan(table, told, keyed=keyed)
    if not files and change is Change.ADD:
        return
    yield from _batches(name, table, files, change)
    content = digest_of(here, change, [(file.path, file.size) for file in files])
    yield Position(msgspec.json.encode(here).decode(), content)


def _plan(table: LakeVersion[F], told: Cursor | None, *, keyed: bool) -> tuple[list[F], Change]:
    if told is None:
        return table.files(), Change.ADD
    is_same = told.table == table.id
    found = table.added_since(told.version) if is_same else "the table was deleted and made anew"
    if not isinstance(found, str):
        return found, Change.ADD
    if keyed:
        return table.files(), Change.WHOLE
    raise table.rewritten(
        f"what is new cannot be added to what was loaded: {found}",
        "give the contract a `key`: then the whole table takes the place of what was loaded; or give the source a new "
        "name to load it from the start",
    )


def _batches(name: str, table: LakeVersion[F], files: list[F], change: Change) -> Iterator[Batch]:
    known = sum(file.size for file in table.files())
    passed, count = known - sum(file.size for file in files), 0
    for file in files:
        number, portion = 0, f"{name}/{file.path}" if file.path else name
        for rows in table.rows(file):
            batch = replace(typed_batch(portion, rows.batch, number, passed), change=change)
            number += rows.batch.num_rows
            if rows.kept is not None:
                batch = replace(batch, rows=batch.rows.filter(rows.kept), numbers=batch.numbers.filter(rows.kept))
            count += batch.rows.num_rows
            if batch.rows.num_rows:
                yield batch
        passed += file.size
    if not count and change is Change.WHOLE:
        raise table.rewritten(
            "the table holds no row any more; what was loaded stays",
            "find out why; if it is meant, load the table under a new source name",
        )
    if not count:  # an empty table says of its columns at least
        empty = pa.RecordBatch.from_pylist([], schema=table.schema)
        yield replace(typed_batch(name, empty, 0, known), change=change)
