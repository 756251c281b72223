"""The messages of a slot as batches: of the changes to a row in a block only the last counts.

A large value that a change did not touch is not sent. It is taken from an earlier change of the block, or from the
old row where the server sends that (REPLICA IDENTITY FULL); else the whole row is read from the table as it is now.
What was done to it since comes in later changes, so that the table ends in what the source holds; a row that is not
there any more has its delete, or its new key, still to come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property

import psycopg
import pyarrow as pa

from drivetrain.connect.databases.database import Database
from drivetrain.connect.databases.statements import Bound, Statement
from drivetrain.connect.retrying import retrying
from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.databases import CdcSource, SqlSource
from drivetrain.ingest.databases.columns import Field, declared, finished
from drivetrain.ingest.databases.fetching import fetch
from drivetrain.ingest.databases.relation import see
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.replication.messages import Begun, Changed, Committed, Described, Unsent, Values, parse
from drivetrain.ingest.replication.publication import Published
from drivetrain.ingest.replication.written import Texts, Written, carried, columns_of
from drivetrain.store.files.batches import Change

_ROWS, _BYTES = 10_000, 16 << 20

Key = tuple[bytes | None, ...]
Columns = Sequence[tuple[Written, Texts]]
Asking = Callable[[], psycopg.Connection]


@dataclass(frozen=True)
class Last:
    """The last change to a row: its number among all changes, and the row (None: it goes)."""

    number: int
    row: Values | None


@dataclass
class Layout:
    """The columns of the changes from a description on."""

    described: Described
    key: tuple[int, ...]
    database: Database
    relation: SqlSource

    @cached_property
    def columns(self) -> tuple[Written, ...]:
        """What the server says of them; asked when the first change comes."""
        return retrying(lambda: columns_of(self.database, self.relation, self.described), self.relation.retry_seconds)

    def key_of(self, values: Values) -> Key:
        """What names the row."""
        return tuple(value if not isinstance(value := values[place], Unsent) else None for place in self.key)


class Changes:
    """One reading of the changes committed from the place ``after`` on; ``rows`` came before them.

    ``end`` is the place behind the last transaction that was read.
    """

    def __init__(self, spec: CdcSource, database: Database, table: Published, after: int, rows: int) -> None:
        self.rows, self.end = rows, after
        self._spec, self._database, self._table, self._after = spec, database, table, after
        self._sha = hashlib.sha256()
        self._layout: Layout | None = None
        self._block: dict[Key, Last] = {}
        self._size = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the changes that were read."""
        return self._sha.hexdigest()

    def batches(self, messages: Iterable[bytes]) -> Iterator[Batch]:
        """The changes as they change the table. Raises Transient, and InvalidInput for what cannot be read."""
        is_new = False
        with ExitStack() as held:
            asking = cache(lambda: held.enter_context(self._database.session()))
            for message in messages:
                said = parse(message)
                if isinstance(said, Changed) and is_new and said.table == self._table.table:
                    self._sha.update(message)
                    self._note(said, len(message))
                    if len(self._block) >= _ROWS or self._size >= _BYTES:
                        yield from self._flush(asking)
                elif isinstance(said, Described) and said.table == self._table.table:
                    yield from self._flush(asking)
                    self._layout = self._laid_out(said)
                elif isinstance(said, Begun):
                    is_new = said.commit >= self._after
                elif isinstance(said, Committed) and is_new:
                    self.end = said.end
            yield from self._flush(asking)

    def _laid_out(self, described: Described) -> Layout:
        key = self._spec.contract.key
        if not set(key) <= set(described.names):
            raise InvalidInput(
                "cdc_key_gone", f"the changes have no column {', '.join(key)}", where=self._spec.table,
                hint="the table was changed: correct `key` in the contract, and set `gaps: snapshot` for one load",
            )  # fmt: skip
        return Layout(
            described, tuple(described.names.index(name) for name in key), self._database, self._spec.relation
        )

    def _note(self, change: Changed, size: int) -> None:
        layout = self._layout
        assert layout is not None, "the server describes a table before its first change"
        self.rows, self._size = self.rows + 1, self._size + size
        old, new = change.old, change.new
        if new is None:
            assert old is not None, "a delete says which row"
            self._put(layout.key_of(old), None)
            return
        if old is not None:
            new = _filled(new, old)
        key = layout.key_of(new)
        was = layout.key_of(old) if old is not None else key
        before = self._block.get(was)
        if before is not None and before.row is not None:
            new = _filled(new, before.row)
        if was != key:
            self._put(was, None)
        self._put(key, new)

    def _put(self, key: Key, row: Values | None) -> None:
        self._block.pop(key, None)
        self._block[key] = Last(self.rows, row)

    def _flush(self, asking: Asking) -> Iterator[Batch]:
        block, layout = self._block, self._layout
        self._block, self._size = {}, 0
        if not block:
            return
        assert layout is not None
        gone = {key: last for key, last in block.items() if last.row is None}
        partly = {key: last for key, last in block.items() if last.row is not None and Unsent.UNSENT in last.row}
        whole = [last for key, last in block.items() if key not in gone and key not in partly]
        if gone:
            keys = list(zip((layout.columns[place] for place in layout.key), zip(*gone, strict=True), strict=True))
            yield self._batch(keys, [last.number for last in gone.values()], Change.DROP, asking)
        if whole:
            rows = zip(*(last.row for last in whole if last.row is not None), strict=True)
            chosen = [
                (column, [value for value in values if not isinstance(value, Unsent)])
                for column, values in zip(layout.columns, rows, strict=True)
                if not self._spec.columns or column.field.name in self._spec.columns
            ]
            yield self._batch(chosen, [last.number for last in whole], Change.PUT, asking)
        if partly:
            yield from self._fetched(layout, partly)

    def _fetched(self, layout: Layout, partly: Mapping[Key, Last]) -> Iterator[Batch]:
        """The rows as they are now, of those that are still there."""
        spec = self._spec.relation.model_copy(update={"columns": self._table.columns})
        numbers = [last.number for last in partly.values()]

        def read() -> list[Batch]:
            with self._database.look() as look:
                relation = see(look, spec)
            clauses: list[Statement] = [_is_one_of([relation.column(name) for name in spec.contract.key], partly)]
            clauses += [(f"({self._table.rows})",)] if self._table.rows else []
            batches, first = [], 0
            for rows in fetch(self._database, relation.rows(clauses, (), casting=True), relation.travelling):
                there = finished(rows, relation.fields, spec.time_zone)
                batches.append(
                    self._numbered(there, numbers[first : first + rows.num_rows], Change.PUT, relation.fields)
                )
                first += rows.num_rows
            return batches

        yield from retrying(read, spec.retry_seconds)

    def _batch(self, columns: Columns, numbers: list[int], change: Change, asking: Asking) -> Batch:
        fields = [column.field for column, _ in columns]
        arrays = [carried(column, values, asking) for column, values in columns]
        rows = finished(pa.table(arrays, [one.name for one in fields]), fields, self._spec.time_zone)
        return self._numbered(rows, numbers, change, fields)

    def _numbered(self, rows: pa.Table, numbers: list[int], change: Change, fields: Sequence[Field]) -> Batch:
        return Batch(
            self._spec.table,
            rows,
            pa.array(numbers, pa.int64()),
            declared=declared(fields),
            done=self.rows,
            change=change,
        )


def _filled(row: Values, older: Values) -> Values:
    """The row, with what was not sent taken from an older one."""
    if Unsent.UNSENT not in row or len(row) != len(older):
        return row
    return tuple(before if isinstance(value, Unsent) else value for value, before in zip(row, older, strict=True))


def _is_one_of(columns: Sequence[str], keys: Iterable[Key]) -> Statement:
    pieces: list[str | Bound] = [f"({', '.join(columns)}) IN ("]
    for key in keys:
        pieces.append("(" if pieces[-1].__class__ is str and len(pieces) == 1 else ", (")
        for place, value in enumerate(key):
            pieces += [", "] if place else []
            pieces.append("NULL" if value is None else Bound(value.decode()))
        pieces.append(")")
    return (*pieces, ")")
