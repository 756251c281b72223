"""Where the rows of one load stand, as text, between the source and the table. Spills to disk beyond its memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType, Schema
from drivetrain.ingest.reading import Batch
from drivetrain.store.casting import INFERRED, listed, literal, looks_like, quoted, typed
from drivetrain.store.files.batches import Change
from drivetrain.store.tables import schema_of

_MEMORY = "1GB"
_SAMPLE = 2_000  # rows
HIDDEN = ("drivetrain_origin", "drivetrain_load", "drivetrain_portion", "drivetrain_row")
"""Columns beside the source's: the Origin, the load that found the row bad (NULL: this one), its portion and number."""


class Origin(StrEnum):
    """Where a staged row comes from; rows that stood in the table come first in every order."""

    STORED = "0"
    QUARANTINE = "1"
    SOURCE = "2"


@dataclass
class Found:
    """What a portion said of its columns."""

    columns: dict[str, None] = field(default_factory=dict)
    declared: Schema | None = None
    optional: bool = False


class Staging:
    """The staged rows, in a DuckDB that reaches neither files nor network. Use it as a context manager."""

    def __init__(self, work: Path, memory: str = _MEMORY) -> None:
        self._work = work
        shutil.rmtree(work, ignore_errors=True)  # what a killed load left
        work.mkdir(parents=True)
        self.sql = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": memory,
                "temp_directory": str(work),
            }
        )
        self.sql.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")
        types = ("VARCHAR", "VARCHAR", "VARCHAR", "BIGINT")
        hidden = ", ".join(f"{column} {kind}" for column, kind in zip(HIDDEN, types, strict=True))
        self.sql.execute(f"CREATE TABLE staged ({hidden})")
        self.sql.execute(f"CREATE TABLE broken ({hidden}, reason VARCHAR, raw VARCHAR)")
        self.columns: dict[str, None] = {}
        self.portions: dict[str, Found] = {}
        self.rows = 0
        self.latest = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.sql.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def add(self, batch: Batch) -> None:
        """Stage the rows of a source, broken ones included."""
        assert batch.change is Change.ADD, "no kind of source that is registered changes rows yet"
        found, self.latest = self.portions.setdefault(batch.portion, Found()), batch.portion
        found.columns |= dict.fromkeys(batch.rows.column_names)
        found.declared, found.optional = batch.declared or _types(batch.rows.schema), batch.optional_fields
        origin = f"{literal(Origin.SOURCE)}, NULL, {literal(batch.portion)}"
        if batch.rows.num_rows:
            self._add(batch.rows.append_column("drivetrain_row", batch.numbers), batch.rows.column_names, origin)
        if batch.broken:
            rows = [(row.number, row.reason, row.text) for row in batch.broken]
            columns = [pa.array(column) for column in zip(*rows, strict=True)]
            self.sql.register("batch", pa.table(columns, names=["number", "reason", "line"]))
            self.sql.execute(f"INSERT INTO broken SELECT {origin}, number, reason, to_json(line) FROM batch")
            self.sql.unregister("batch")
        self.rows += batch.rows.num_rows + len(batch.broken)

    def add_stored(self, rows: ds.Dataset, portion: str) -> None:
        """Stage the rows of a table again, as text."""
        columns = rows.schema.names
        self._widen(columns)
        as_text = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in columns)
        self.sql.register("stored", rows)
        self.sql.execute(
            f"INSERT INTO staged ({', '.join(HIDDEN)}, {listed(columns)}) SELECT {literal(Origin.STORED)}, "
            f"NULL, {literal(portion)}, row_number() OVER (), {as_text} FROM stored"
        )
        self.sql.unregister("stored")

    def add_quarantined(self, rows: ds.Dataset, columns: Iterable[str]) -> None:
        """Stage quarantined rows again from their raw values; rows that never had columns are broken as before."""
        chosen = list(columns)
        self._widen(chosen)
        self.sql.register("quarantined", rows)
        hidden = f"{literal(Origin.QUARANTINE)}, load, portion, row"
        values = "".join(f", json_extract_string(raw, {literal(_json_path(column))})" for column in chosen)
        self.sql.execute(
            f"INSERT INTO staged ({', '.join(HIDDEN)}{', ' if chosen else ''}{listed(chosen)}) "
            f"SELECT {hidden}{values} FROM quarantined WHERE json_type(raw) = 'OBJECT'"
        )
        self.sql.execute(
            f"INSERT INTO broken SELECT {hidden}, array_to_string(reasons, chr(31)), raw FROM quarantined "
            "WHERE json_type(raw) <> 'OBJECT'"
        )
        self.sql.unregister("quarantined")

    def infer(self, columns: Iterable[str]) -> dict[str, ColumnType]:
        """The narrowest type that every staged value of a column is written like; text where there is no value."""
        found = dict.fromkeys(columns, ColumnType.TEXT)
        sample = f"(FROM staged LIMIT {_SAMPLE})"  # rules out most types before all rows are asked
        possible = {
            column: kinds for column in found if (kinds := self._fitting({column: INFERRED}, sample, 0)[column])
        }
        while possible:
            fitting = self._fitting({column: kinds[:1] for column, kinds in possible.items()}, "staged", 1)
            found |= {column: kinds[0] for column, kinds in fitting.items() if kinds}
            possible = {column: kinds[1:] for column, kinds in possible.items() if not fitting[column] and kinds[1:]}
        return found

    def unreadable(self, schema: Schema) -> dict[str, tuple[int, int]]:
        """Of each column's values from the source: how many are not of its type, and how many there are."""
        columns = [column for column in schema.columns if column.name in self.columns]
        if not columns:
            return {}
        counts = (
            f"count({quoted(column.name)}), count({typed(quoted(column.name), column.type)})" for column in columns
        )
        numbers = _one(
            self.sql.execute(
                f"SELECT {', '.join(counts)} FROM staged WHERE drivetrain_origin = {literal(Origin.SOURCE)}"
            )
        )
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return {column.name: (every - good, every) for column, (every, good) in zip(columns, pairs, strict=True)}

    def _fitting(
        self, asked: Mapping[str, tuple[ColumnType, ...]], relation: str, least: int
    ) -> dict[str, tuple[ColumnType, ...]]:
        """Of the types asked for each column, those that all its values, ``least`` or more, are written like."""
        counts = [f"count({quoted(column)})" for column in asked]
        counts += [f"count_if({looks_like(quoted(column), kind)})" for column, kinds in asked.items() for kind in kinds]
        numbers = iter(_one(self.sql.execute(f"SELECT {', '.join(counts)} FROM {relation}")))
        values = {column: next(numbers) for column in asked}
        fits = {column: [(kind, next(numbers)) for kind in kinds] for column, kinds in asked.items()}
        return {
            column: tuple(kind for kind, count in pairs if least <= count == values[column])
            for column, pairs in fits.items()
        }

    def _add(self, rows: pa.Table, columns: list[str], origin: str) -> None:
        self._widen(columns)
        self.sql.register("batch", rows)
        self.sql.execute(
            f"INSERT INTO staged ({', '.join(HIDDEN)}, {listed(columns)}) SELECT {origin}, drivetrain_row, "
            f"{listed(columns)} FROM batch"
        )
        self.sql.unregister("batch")

    def _widen(self, columns: Iterable[str]) -> None:
        for column in columns:
            if column not in self.columns:
                near = next((known for known in self.columns if known.lower() == column.lower()), None)
                if near is not None:
                    raise InvalidInput(
                        "column_twice",
                        f"the columns {near!r} and {column!r} differ in upper and lower case only, which SQL ignores",
                        where=self.latest,
                        hint="give the column one name in all files",
                    )
                self.sql.execute(f"ALTER TABLE staged ADD COLUMN {quoted(column)} VARCHAR")
                self.columns[column] = None


def _types(columns: pa.Schema) -> Schema | None:
    """What the source says of the columns that are not text, if there are any."""
    typed = pa.schema([field for field in columns if not pa.types.is_string(field.type)])
    return schema_of(typed) if len(typed) else None


def _json_path(column: str) -> str:
    return '$."' + column.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one(result: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    row = result.fetchone()
    assert row is not None
    return tuple(row)
