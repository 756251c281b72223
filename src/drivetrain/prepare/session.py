"""DuckDB in memory, shut off from everything but the sources it was given."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.prepare.sql import Node, SqlFile, examine, parse, sql_failed

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Two threads add floats in whatever order they finish; the last bit of a sum would differ from run to run.
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # Without this an unknown table name finds Python variables of the caller.
    "python_enable_replacements": False,
    # Division by zero is null, as in Spark, not infinity.
    "ieee_floating_point_ops": False,
}
_CLOSE = ("SET TimeZone = 'UTC'", "SET enable_external_access = false", "SET lock_configuration = true")
_KINDS = {
    ColumnType.BOOLEAN: ("boolean",),
    ColumnType.INTEGER: ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger"),
    ColumnType.NUMBER: ("ubigint", "hugeint", "uhugeint", "decimal", "float", "double", "bignum"),
    ColumnType.TEXT: ("varchar", "enum", "uuid"),
    ColumnType.DATE: ("date",),
    ColumnType.TIMESTAMP: ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"),
}
_KIND = {duck: kind for kind, names in _KINDS.items() for duck in names}
_STORED = {
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
}


class Session:
    """One DuckDB over the sources. Our own tables start with ``_``, which no source name does.

    Everything runs on one thread in UTC, so the same sources and SQL give the same bytes.
    """

    def __init__(self, sources: Mapping[str, ds.Dataset], spill: Path) -> None:
        self._sources = tuple(sources)
        self._spill = spill
        self.read: frozenset[str] = frozenset()
        self._connection = duckdb.connect(":memory:", config=_CONFIG | {"temp_directory": str(spill)})
        for name, dataset in sources.items():
            self._connection.register(name, dataset)
        for setting in _CLOSE:
            self._connection.execute(setting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def make(self, file: SqlFile, table: str) -> Schema:
        """Run a feature file into ``table``, every column in the type it is stored in; gives its columns.

        Raises InvalidInput with file, line and DuckDB's message, and what ``examine`` raises.
        """
        self.read |= examine(self._connection, file, self._sources)
        try:
            self._connection.execute(f"CREATE TEMP TABLE _raw AS {file.text}")
            names = self._connection.sql(file.text).columns
        except duckdb.Error as error:
            raise sql_failed(file, error) from None
        _refuse_repeats(file, names)
        types = self._connection.table("_raw").types
        columns = tuple(_column(file, name, kind) for name, kind in zip(names, types, strict=True))
        casts = ", ".join(f"CAST({quoted(c.name)} AS {_STORED[c.type]}) AS {quoted(c.name)}" for c in columns)
        self.run(f"CREATE TEMP TABLE {quoted(table)} AS SELECT {casts} FROM _raw")
        self.run("DROP TABLE _raw")
        return Schema(columns)

    def offer(self, name: str, table: pa.Table) -> None:
        """Let feature files read a table of ours as if it were a source."""
        self._connection.register("_offered", table)
        self.run(f"CREATE TEMP TABLE {quoted(name)} AS SELECT * FROM _offered")
        self._connection.unregister("_offered")
        self._sources = (*self._sources, name)

    def tree(self, file: SqlFile) -> Node:
        """A feature file as DuckDB's parser reads it. Raises InvalidInput."""
        return parse(self._connection, file)

    def columns(self, source: str) -> Schema | None:
        """The columns of a source that a model could take; None when there is no source of that name."""
        if source not in self._sources:
            return None
        found = self._connection.table(source)
        pairs = zip(found.columns, found.types, strict=True)
        return Schema(tuple(Column(name, _KIND[kind.id]) for name, kind in pairs if kind.id in _KIND))

    def run(self, sql: str) -> None:
        """Run a statement of ours."""
        self._connection.execute(sql)

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query of ours."""
        return list(self._connection.execute(sql).fetchall())

    def count(self, sql: str) -> int:
        """The one number of a query of ours."""
        (number,) = self.ask(sql)[0]
        assert isinstance(number, int)
        return number

    def table(self, sql: str) -> pa.Table:
        """The rows of a query of ours as an Arrow table."""
        return self._connection.execute(sql).to_arrow_table()


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _refuse_repeats(file: SqlFile, names: list[str]) -> None:
    repeated = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if repeated:
        raise InvalidInput(
            "column_twice",
            f"more than one column is named {examples(repeated)}",
            where=file.path,
            hint="name each column once with AS (upper and lower case are the same name)",
        )


def _column(file: SqlFile, name: str, kind: duckdb.sqltypes.DuckDBPyType) -> Column:
    if kind.id not in _KIND:
        raise InvalidInput(
            "type_unusable",
            f"column {name!r} is {kind}, which no model takes",
            where=file.path,
            hint=f"cast it to one of {', '.join(_KINDS)}, or leave it out",
        )
    return Column(name, _KIND[kind.id])
