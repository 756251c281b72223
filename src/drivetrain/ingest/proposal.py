"""A contract proposed from the first rows of a source, for a person to read, correct and keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.contract import NUMBER_FORMATS
from drivetrain.core.credentials import Secrets
from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest.columns import look
from drivetrain.ingest.sampling import first_rows
from drivetrain.store.casting import typed
from drivetrain.store.catalog import Catalog

_FEW = 12
"""So many distinct values at most, each of them often, are a set."""
_OFTEN = 10
_DATES = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%Y%m%d",
    "%d %b %Y",
    "%d %B %Y",
    "%d.%m.%y",
    "%m/%d/%y",
)
_CLOCKS = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M %p")
_WORDS = ("y/n", "yes/no", "t/f", "j/n", "ja/nein", "s/n", "si/no", "sí/no", "oui/non", "o/n", "on/off", "x/-")


@dataclass(frozen=True)
class ProposedColumn:
    """A column as its values look: the type, how it is written, and what else is true of all of them.

    ``doubts`` are for the person who reads the proposal.
    """

    name: str
    type: ColumnType
    format: str | None = None
    nullable: bool = True
    one_of: tuple[str, ...] = ()
    unique: bool = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What the first ``rows`` rows of a source are like."""

    rows: int
    columns: tuple[ProposedColumn, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The first column in which no value is missing or stands twice, if there is one."""
        return next(((column.name,) for column in self.columns if column.unique), ())


def propose(spec: SourceSpec, name: str, catalog: Catalog, secrets: Secrets, count: int) -> Proposal:
    """Read up to ``count`` rows and say what they are like; nothing is loaded.

    Raises what reading raises, and InvalidInput where there is not one row.
    """
    texts = first_rows(spec, name, catalog, secrets, count)
    if not texts.num_rows:
        raise InvalidInput("no_rows", "there is not one row", where=f"source {name}", hint="propose when there is data")
    with duckdb.connect() as sql:
        sql.execute("SET TimeZone = 'UTC'")
        columns = [_column(column, texts.column(column).combine_chunks(), sql) for column in texts.column_names]
    return Proposal(texts.num_rows, tuple(columns))


def _column(name: str, text: pa.Array, sql: duckdb.DuckDBPyConnection) -> ProposedColumn:
    values = text.drop_null()
    distinct, nullable = len(values.unique()), text.null_count > 0
    if not len(values):
        return ProposedColumn(name, ColumnType.TEXT, doubts=("no value in these rows: the type is not known",))
    kind = look(values, sql)
    written = _Written(kind)
    if kind is ColumnType.TEXT or (kind is ColumnType.INTEGER and _may_be_days(values)):
        written = _written(values, kind, sql)
    kind = written.type
    unique = not nullable and distinct == len(values) > 1 and kind in (ColumnType.INTEGER, ColumnType.TEXT)
    one_of: tuple[str, ...] = ()
    if kind is ColumnType.TEXT and distinct <= _FEW and len(values) >= _OFTEN * distinct:
        one_of = tuple(sorted(values.unique().to_pylist()))
    return ProposedColumn(name, kind, written.format, nullable, one_of, unique, written.doubts)


@dataclass(frozen=True)
class _Written:
    """A type, how its values are written, and what is doubtful of that."""

    type: ColumnType
    format: str | None = None
    doubts: tuple[str, ...] = ()


def _written(values: pa.Array, usual: ColumnType, sql: duckdb.DuckDBPyConnection) -> _Written:
    """The first way of writing that all values keep; a doubt where another one would give other values."""
    sql.register("written", pa.table({"value": values}))
    found = [(kind, form) for kind, form in _ways(usual) if _true_of_all(_read(kind, form), sql)]
    if not found:
        zeros = _true_of_all("regexp_full_match(value, '[0-9]+')", sql)
        return _Written(usual, None, ("only digits, some with a zero before them: kept as text",) if zeros else ())
    kind, form = found[0]
    first = typed("value", kind, form)
    others = [
        one
        for same, one in found[1:]
        if same is kind and not _true_of_all(f"{first} = {typed('value', kind, one)}", sql)
    ]
    sql.unregister("written")
    return _Written(kind, form, (f"these rows could be {' or '.join(others)} as well",) if others else ())


def _read(kind: ColumnType, form: str) -> str:
    """SQL that is true of a text that this way of writing reads, with a year of as many digits as it says."""
    sound = f"{typed('value', kind, form)} IS NOT NULL"
    if kind in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return f"{sound} AND {'' if '%Y' in form else 'NOT '}regexp_matches(value, '[0-9]{{4}}')"
    if kind is ColumnType.NUMBER:  # 00123 is a code
        return f"{sound} AND NOT regexp_matches(trim(value), '^[+-]?0[0-9]')"
    return sound


def _true_of_all(condition: str, sql: duckdb.DuckDBPyConnection) -> bool:
    return sql.execute(f"SELECT bool_and(coalesce({condition}, false)) FROM written").fetchone() == (True,)


def _ways(usual: ColumnType) -> Iterator[tuple[ColumnType, str]]:
    for date in _DATES:
        yield ColumnType.DATE, date
    if usual is ColumnType.INTEGER:
        return
    for date in (*_DATES, "%Y-%m-%d"):
        for clock in _CLOCKS:
            yield ColumnType.TIMESTAMP, date + clock
    for words in _WORDS:
        yield ColumnType.BOOLEAN, words
    for form in NUMBER_FORMATS:
        yield ColumnType.NUMBER, form


def _may_be_days(values: pa.Array) -> bool:
    """20260131: eight digits that begin like a year of our time."""
    return pcompute.all(pcompute.match_substring_regex(values, r"^(19|20)\d{6}$")).as_py() is True
