"""Delta tables. What a load knows about itself (cursor, digest, row count) is part of its commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import NotFound
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.parts import Part

_OURS = "drivetrain"
_FIRST_COMMIT = "00000000000000000000.json"
# Lineage needs old versions for as long as an auditor may ask: ten years, not Delta's thirty days.
_KEEP = {"delta.logRetentionDuration": "interval 3650 days", "delta.deletedFileRetentionDuration": "interval 3650 days"}
# Files of this size are not written again by the next compaction, so that it costs the same however large the table is.
_COMPACTED_BYTES = 16 * 1024 * 1024
# Looking for repeated values is three quarters of the work of writing Parquet; compaction does it later.
_QUICK = WriterProperties(default_column_properties=ColumnProperties(dictionary_enabled=False))
_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Commit:
    """What a load says of itself, in the same Delta commit as its rows.

    ``cursor`` (JSON of the reader's own) says where the next load starts, ``digest`` chains over all loads so far,
    ``rows`` counts all rows so far.
    """

    cursor: str
    digest: str
    rows: int


@dataclass(frozen=True)
class TableState:
    """A version of a table and the commit that made it."""

    version: int
    commit: Commit


class Table:
    """A Delta table in a folder. Appends and overwrites are whole or absent, whenever the process ends.

    Its log is read once: who keeps the object reads later only what was added. Not for use by several threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log: DeltaTable | None = None
        self._made = (0, 0)

    def exists(self) -> bool:
        """Whether the table was ever written."""
        return DeltaTable.is_deltatable(str(self.path))

    def schema(self) -> pa.Schema:
        """The columns of the newest version. Raises NotFound when there is no table."""
        return pa.schema(self._newest().schema().to_arrow())

    def state(self) -> TableState | None:
        """The newest version and the newest commit of ours in its history; None when there is no table."""
        if not self.exists():
            return None
        table = self._newest()
        for entry in chain(table.history(4), table.history()):  # ours is nearly always the newest
            if _OURS in entry:
                return TableState(table.version(), read_json(entry[_OURS], Commit))
        return None

    def version(self) -> int:
        """The newest version. Raises NotFound when there is no table."""
        return self._newest().version()

    def identity(self) -> str:
        """The same as long as this is one table, another one when it was deleted and made anew. Raises NotFound."""
        return str(self._newest().metadata().id)

    def append(self, rows: pa.Table | pa.RecordBatchReader, commit: Commit) -> int:
        """Add rows and their commit in one step; gives the new version. A reader is streamed in bounded memory."""
        return self._write(rows, commit, "append")

    def extend(self, rows: pa.Table, commit: Commit) -> int:
        """Add rows that come often and few at a time: quick to write now, small once they are compacted.

        Columns and struct fields that the table lacks are added, null in older rows. Gives the new version.
        """
        return self._write(rows, commit, "extend")

    def overwrite(self, rows: pa.Table | pa.RecordBatchReader, commit: Commit) -> int:
        """Replace the rows (older versions stay readable); gives the new version."""
        return self._write(rows, commit, "overwrite")

    def put(self, rows: pa.Table, key: str, commit: Commit) -> int:
        """Rows of the table's own columns take the place of those with the same key; gives the new version."""
        merge = self._newest().merge(
            rows, f"there.{key} = new.{key}", source_alias="new", target_alias="there", commit_properties=_said(commit)
        )
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return self._newest().version()

    def place(self, added: Sequence[Part], schema: pa.Schema, commit: Commit, *, overwrite: bool = False) -> int:
        """Make finished files part of the table, in place of all its rows with ``overwrite``; gives the new version."""
        return self._place(added, (), schema, commit, overwrite=overwrite)

    def exchange(self, added: Sequence[Part], removed: Sequence[str], commit: Commit) -> int:
        """Make finished files part of the table in place of those ``removed`` (of ``files``); gives the new version."""
        return self._place(added, removed, self.schema(), commit, overwrite=False)

    def files(self) -> tuple[str, ...]:
        """The paths, relative to the table, of the Parquet files that hold the newest version."""
        actions = pa.table(self._newest().get_add_actions())
        return tuple(actions.column("path").to_pylist())

    def read(self, version: int | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a version (the newest by default). Raises NotFound when there is no such table or version."""
        return self.dataset(version).to_table(columns=list(columns) if columns else None)

    def dataset(self, version: int | None = None) -> pa.dataset.Dataset:
        """A version as an Arrow dataset, which DuckDB scans lazily. Raises NotFound."""
        try:
            newest = self._newest()
            is_newest = version in (None, newest.version())
            table = newest if is_newest else DeltaTable(str(self.path), version=version)
            return table.to_pyarrow_dataset(filesystem=self._files())
        except (TableNotFoundError, DeltaError) as error:
            which = "table" if version is None else f"version {version} of the table"
            raise NotFound("table_unknown", f"there is no {which}", where=str(self.path)) from error

    def _files(self) -> pa_fs.FileSystem:
        """Arrow's own way to files. deltalake's is Python; a thread in it at the end of the process aborts that."""
        return pa_fs.SubTreeFileSystem(str(self.path), pa_fs.LocalFileSystem())

    def blank(self, column: str, values: Sequence[str]) -> int:
        """Take texts out of a column: null stands in their place; gives how many rows had one of them.

        Older versions hold them until ``compact`` deletes files that were replaced a day ago.
        """
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        done = self._newest().update(updates={column: "NULL"}, predicate=f"{column} IN ({listed})")
        return int(done["num_updated_rows"])

    def compact(self) -> None:
        """Merge small files into large ones; small ones that were merged a day ago are deleted.

        For tables that only grow, where the newest version holds whatever an older one held.
        """
        table = self._newest()
        table.optimize.compact(target_size=_COMPACTED_BYTES)
        table.vacuum(retention_hours=24, enforce_retention_duration=False, dry_run=False)

    def _write(
        self,
        rows: pa.Table | pa.RecordBatchReader,
        commit: Commit,
        mode: Literal["append", "extend", "overwrite"],
    ) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        table = self._newest() if self.exists() else None
        said = _said(commit)
        place, settings = (self.path, _KEEP) if table is None else (table, None)
        if mode == "overwrite" and table is not None:
            write_deltalake(place, rows, mode="overwrite", schema_mode="overwrite", commit_properties=said)
        elif mode == "extend":
            write_deltalake(
                place, rows, mode="append", schema_mode="merge", configuration=settings, commit_properties=said,
                writer_properties=_QUICK,
            )  # fmt: skip
        else:
            write_deltalake(place, rows, mode="append", configuration=settings, commit_properties=said)
        return self._newest().version()

    def _place(
        self, added: Sequence[Part], removed: Sequence[str], columns: pa.Schema, commit: Commit, *, overwrite: bool
    ) -> int:
        self.path.mkdir(parents=True, exist_ok=True)
        said = _said(commit)
        schema, adds = DeltaSchema.from_arrow(columns), [self._take_in(part) for part in added]
        if not self.exists():
            create_table_with_add_actions(
                str(self.path), schema, adds, partition_by=[], configuration=_KEEP, commit_properties=said
            )
            return self._newest().version()
        now = int(time.time() * 1000)
        gone = [RemoveAction(path, data_change=True, deletion_timestamp=now, partition_values={}) for path in removed]
        mode = "overwrite" if overwrite else "append"
        self._newest().create_write_transaction([*adds, *gone], mode, schema, [], commit_properties=said)
        return self._newest().version()

    def _take_in(self, part: Part) -> AddAction:
        """Moved beside the table's files; until the commit names it, it is nobody's."""
        path = part.path.rename(self.path / part.path.name)
        counted = msgspec.json.encode({"numRecords": part.rows}).decode()
        at = path.stat()
        return AddAction(path.name, at.st_size, {}, at.st_mtime_ns // 1_000_000, data_change=True, stats=counted)

    def _newest(self) -> DeltaTable:
        """The table as it is now; read anew where its folder was deleted, and perhaps made again, meanwhile."""
        try:
            made = _made(self.path)
            if self._log is None or self._made != made:
                self._log, self._made = DeltaTable(str(self.path)), made
            else:
                self._log.update_incremental()
        except (TableNotFoundError, DeltaError) as error:
            self._log = None
            raise NotFound("table_unknown", "there is no table", where=str(self.path)) from error
        return self._log


def _made(path: Path) -> tuple[int, int]:
    """Another pair when the table was made anew. (Somebody else's table may have lost its first commits.)"""
    found = []
    for name in ("", _FIRST_COMMIT):
        with suppress(FileNotFoundError):
            found.append((path / "_delta_log" / name).stat())
    return (found[0].st_ino, found[-1].st_mtime_ns if len(found) > 1 else 0) if found else (0, 0)


def _said(commit: Commit) -> CommitProperties:
    return CommitProperties(custom_metadata={_OURS: msgspec.json.encode(commit).decode()})


def arrow_type(kind: ColumnType) -> pa.DataType:
    """The Arrow type in which a column is stored."""
    return _ARROW[kind]


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema in which a table of these columns is stored."""
    return pa.schema([pa.field(column.name, _ARROW[column.type], column.nullable) for column in schema.columns])


def column_type(kind: pa.DataType) -> ColumnType:
    """The column type of an Arrow type; text for whatever has no closer one."""
    checks = (
        (ColumnType.BOOLEAN, pa.types.is_boolean),
        (ColumnType.INTEGER, pa.types.is_integer),
        (ColumnType.NUMBER, lambda t: pa.types.is_floating(t) or pa.types.is_decimal(t)),
        (ColumnType.TIMESTAMP, pa.types.is_timestamp),
        (ColumnType.DATE, pa.types.is_date),
    )
    return next((name for name, matches in checks if matches(kind)), ColumnType.TEXT)


def schema_of(schema: pa.Schema) -> Schema:
    """The columns of an Arrow schema."""
    return Schema(tuple(Column(field.name, column_type(field.type), field.nullable) for field in schema))
