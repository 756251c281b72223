"""Rows of a statement as Arrow, a batch at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from drivetrain.connect.databases.database import Database
from drivetrain.connect.databases.statements import Statement, inline
from drivetrain.ingest.databases.columns import Field, Kind

_ROWS, _FIRST_ROWS, _BYTES = 10_000, 100, 8 << 20


def fetch(database: Database, statement: Statement, fields: Sequence[Field], snapshot: str = "") -> Iterator[pa.Table]:
    """The rows, over a connection of its own. Raises Transient when it breaks, and as ``Database.look``."""
    if database.family == "postgresql":
        with database.arrow(snapshot) as cursor:
            cursor.execute(inline(statement))
            # fetch_record_batch() would give the reader beneath this one, whose errors have no SQLSTATE.
            for batch in cursor._results.reader:
                yield pa.Table.from_batches([batch])
        return
    with database.look() as look:
        result, size = look.run(statement, rows_at_once=_ROWS), _FIRST_ROWS
        left = getattr(result.cursor, "_result", None)
        try:
            while rows := result.fetchmany(size):
                table = _arrow(rows, fields)
                yield table
                size = max(1, min(_ROWS, _BYTES * len(rows) // max(1, table.nbytes)))
        except BaseException:
            if left is not None and hasattr(
                left, "unbuffered_active"
            ):  # else PyMySQL fetches all that is left, from a broken wire too
                left.unbuffered_active = False
            look.connection.invalidate()
            raise


def _arrow(rows: Sequence[Sequence[object]], fields: Sequence[Field]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table({field.name: _array(values, field.kind) for field, values in zip(fields, columns, strict=True)})


def _array(values: Sequence[object], kind: Kind) -> pa.Array:
    convert, type_ = _CONVERSIONS[_seen(values) if kind is Kind.UNKNOWN else kind]
    try:
        return pa.array([None if value is None else convert(value) for value in values], type_)
    except (OverflowError, ValueError, TypeError):  # beyond 64 bits, or not what the type says: the contract judges it
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: object) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Decimal():
            return format(value, "f")
        case timedelta():
            seconds = abs(value) // timedelta(seconds=1)
            sign = "-" if value < timedelta() else ""
            return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case _:
            return str(value)


def _same(value: object) -> object:
    return value


def _date(value: object) -> object:
    """PyMySQL gives a date that is none, such as 0000-00-00, as text: it is missing."""
    return None if isinstance(value, str) else value


_CONVERSIONS: dict[Kind, tuple[Callable[[object], object], pa.DataType]] = {
    Kind.INTEGER: (lambda value: int(str(value)), pa.int64()),
    Kind.FLOAT: (_same, pa.float64()),
    Kind.BOOLEAN: (bool, pa.bool_()),
    Kind.DATE: (_date, pa.date32()),
    Kind.TIMESTAMP: (_date, pa.timestamp("us")),
    **dict.fromkeys((Kind.DECIMAL, Kind.TEXT, Kind.BYTES, Kind.JSON), (_text, pa.string())),
}


def _seen(values: Sequence[object]) -> Kind:
    """The kind of the first value there is."""
    first = next((value for value in values if value is not None), None)
    for type_, kind in (
        (bool, Kind.BOOLEAN),
        (int, Kind.INTEGER),
        (float, Kind.FLOAT),
        (Decimal, Kind.DECIMAL),
        (datetime, Kind.TIMESTAMP),
        (date, Kind.DATE),
    ):
        if isinstance(first, type_):
            return kind
    return Kind.TEXT
