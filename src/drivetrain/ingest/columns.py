"""What is known of a source's columns while its rows pass: what each portion has, and the type each is taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from drivetrain.core.contract import Contract
from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.ingest.reading import Batch
from drivetrain.store.casting import INFERRED, looks_like, quoted
from drivetrain.store.files.batches import Change
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.parquet import as_text
from drivetrain.store.tables import schema_of

_WIDER = {
    frozenset({ColumnType.INTEGER, ColumnType.NUMBER}): ColumnType.NUMBER,
    frozenset({ColumnType.DATE, ColumnType.TIMESTAMP}): ColumnType.TIMESTAMP,
}


@dataclass
class Found:
    """What a portion said of its columns."""

    columns: dict[str, None] = field(default_factory=dict)
    optional: bool = True


@dataclass
class Readable:
    """Of a column's values from the source: all, those not of the type it is taken for, and what these look like."""

    values: int = 0
    bad: int = 0
    looks: ColumnType | None = None


class Columns:
    """The columns of one reading.

    A column is taken for what the contract says, else for what the table holds, else for what the source declares,
    else for the narrowest type that its values so far are written like. ``settled`` columns are taken as they are.
    """

    def __init__(self, contract: Contract, held: Schema, settled: Schema | None = None) -> None:
        self.portions: dict[str, Found] = {}
        self.declared: dict[str, ColumnType] = {}
        self.looks: dict[str, ColumnType] = {}
        self.readable: dict[str, Readable] = {}
        self.settled = settled is not None
        self._key = contract.key
        self._certain = {column.name: column.type for column in (settled or held).columns}
        if settled is None:
            self._certain |= {name: rule.type for name, rule in contract.columns.items()}
        self._taken = dict(self._certain)
        self._names = {column.name.lower(): column.name for column in held.columns}

    @property
    def schema(self) -> Schema:
        """Every column known so far, in the type it is taken for; those that rows have come first, in their order."""
        order = dict.fromkeys([*self._names.values(), *self._taken])
        return Schema(tuple(Column(name, self._taken[name]) for name in order))

    def holds(self, schema: Schema) -> bool:
        """Whether every column was taken for the type it has in ``schema``."""
        return all(self._taken.get(column.name, column.type) is column.type for column in schema.columns)

    def see(self, batch: Batch, sql: duckdb.DuckDBPyConnection) -> None:
        """Learn from the columns of a batch. Raises InvalidInput for names that SQL cannot tell apart."""
        names = [name for name in batch.rows.column_names if batch.change is not Change.DROP or name in self._key]
        found = self.portions.setdefault(batch.portion, Found())
        found.optional &= batch.optional_fields or batch.change is Change.DROP
        new = [name for name in names if name not in found.columns]
        self._check_names(new, batch.portion)
        found.columns |= dict.fromkeys(new)
        declared = _declared(batch)
        for name, kind in declared.items():
            self.declared[name] = wider(self.declared.get(name, kind), kind)
        if not self.settled:
            open_columns = [name for name in names if name not in self._certain and name not in declared]
            self._look(batch.rows.select(open_columns), sql)
        for name in names:
            if name not in self._taken:
                self._taken[name] = declared.get(name) or self.looks.get(name, ColumnType.TEXT)

    def note(self, name: str, values: int, bad: int, looks: ColumnType | None) -> None:
        """Count the values of a column, and those that are not of its type."""
        seen = self.readable.setdefault(name, Readable())
        seen.values, seen.bad = seen.values + values, seen.bad + bad
        if looks is not None:
            seen.looks = looks if seen.looks is None else wider(seen.looks, looks)

    def _look(self, rows: pa.Table, sql: duckdb.DuckDBPyConnection) -> None:
        """Confirm the types that held so far; where one does not hold, the wider one that does takes its place."""
        texts = {name: as_text(rows.column(name).combine_chunks()) for name in rows.column_names}
        texts = {
            name: text
            for name, text in texts.items()
            if text.null_count < len(text) and self.looks.get(name) is not ColumnType.TEXT
        }
        table = pa.table(texts) if texts else pa.table({"nothing": pa.array([], pa.string())})
        held = {name: (self.looks[name],) for name in texts if name in self.looks}
        confirmed = {name for name, kinds in _fitting(table, held, sql).items() if kinds}
        fresh = {name: INFERRED for name in texts if name not in confirmed}
        for name, kinds in _fitting(table, fresh, sql).items():
            kind = kinds[0] if kinds else ColumnType.TEXT
            self.looks[name] = wider(self.looks.get(name, kind), kind)

    def _check_names(self, new: list[str], portion: str) -> None:
        check_names(tuple(new), portion)
        for name in new:
            near = self._names.setdefault(name.lower(), name)
            if near != name:
                raise InvalidInput(
                    "column_twice",
                    f"the columns {name!r} and {near!r} differ in upper and lower case only, which SQL ignores",
                    where=portion,
                    hint="give the column one name in all files",
                )


def look(text: pa.Array, sql: duckdb.DuckDBPyConnection) -> ColumnType:
    """The narrowest type that every value (one at least) is written like."""
    kinds = _fitting(pa.table({"value": text}), {"value": INFERRED}, sql)["value"]
    return kinds[0] if kinds else ColumnType.TEXT


def wider(one: ColumnType, other: ColumnType) -> ColumnType:
    """The narrowest type that takes the values of both."""
    return one if one is other else _WIDER.get(frozenset({one, other}), ColumnType.TEXT)


def _fitting(
    texts: pa.Table, asked: Mapping[str, tuple[ColumnType, ...]], sql: duckdb.DuckDBPyConnection
) -> dict[str, tuple[ColumnType, ...]]:
    """Of the types asked for each column, those that all its values are written like."""
    if not asked:
        return {}
    counts = [f"count({quoted(name)})" for name in asked]
    counts += [f"count_if({looks_like(quoted(name), kind)})" for name, kinds in asked.items() for kind in kinds]
    sql.register("looked_at", texts)
    row = sql.execute(f"SELECT {', '.join(counts)} FROM looked_at").fetchone()
    sql.unregister("looked_at")
    assert row is not None
    numbers = iter(row)
    values = {name: next(numbers) for name in asked}
    fits = {name: [(kind, next(numbers)) for kind in kinds] for name, kinds in asked.items()}
    return {name: tuple(kind for kind, count in pairs if count == values[name]) for name, pairs in fits.items()}


def _declared(batch: Batch) -> dict[str, ColumnType]:
    """What the source says of the types: of all columns, or of those that are not text."""
    schema = batch.declared
    if schema is None:
        untyped = (pa.types.is_string, pa.types.is_null)  # nothing but missing values says nothing of a type
        typed = [field for field in batch.rows.schema if not any(test(field.type) for test in untyped)]
        schema = schema_of(pa.schema(typed))
    return {column.name: column.type for column in schema.columns}
