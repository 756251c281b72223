"""Values and columns of a parcel, in the types of a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from drivetrain.deliver.json_rows import as_text

Row = dict[str, "Value"]
Value = None | bool | int | float | str | Decimal | datetime
_IN_MYSQL = mysql.DATETIME(fsp=6)
_KEY_LENGTH = 190
"""Characters of a text in a key that is made here: in MySQL an index holds 767 bytes of them."""


def column_of(field: pa.Field, *, primary: bool) -> sa.Column[object]:
    """The column that a table made here has for one of a parcel."""
    return sa.Column(field.name, _type(field.type, primary=primary), primary_key=primary, autoincrement=False)


def rows_for(table: sa.Table, rows: pa.Table) -> list[Row]:
    """The rows in values that the columns of the table take."""
    columns = {name: _values(rows.column(name), table.c[name].type) for name in rows.column_names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _type(kind: pa.DataType, *, primary: bool) -> sa.types.TypeEngine[object]:
    checks: tuple[tuple[Callable[[pa.DataType], bool], Callable[[], object]], ...] = (
        (pa.types.is_boolean, sa.Boolean),
        (pa.types.is_integer, sa.BigInteger),
        (pa.types.is_floating, sa.Double),
        (pa.types.is_date, sa.Date),
        (
            pa.types.is_timestamp,
            lambda: sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
        ),
        (pa.types.is_decimal, lambda: sa.Numeric(kind.precision, kind.scale)),
    )
    made = next((make() for matches, make in checks if matches(kind)), sa.String(_KEY_LENGTH) if primary else sa.Text())
    assert isinstance(made, sa.types.TypeEngine)
    return made


def _values(column: pa.ChunkedArray, kind: sa.types.TypeEngine[object]) -> list[Value]:
    values = column.to_pylist()
    if pa.types.is_nested(column.type):
        return [None if value is None else as_text(value) for value in values]
    if pa.types.is_timestamp(column.type):
        return [None if value is None else _moment(value.astimezone(UTC), kind) for value in values]
    if pa.types.is_date(column.type) and not isinstance(kind, sa.Date):
        return [None if value is None else value.isoformat() for value in values]
    if pa.types.is_boolean(column.type) and not isinstance(kind, sa.Boolean):
        return [None if value is None else _flag(value, kind) for value in values]
    if isinstance(kind, sa.String):
        return [None if value is None else str(value) for value in values]
    return list(values)


def _moment(value: datetime, kind: sa.types.TypeEngine[object]) -> Value:
    if not isinstance(kind, sa.DateTime):
        return value.isoformat(" ")
    return value if kind.timezone else value.replace(tzinfo=None)


def _flag(value: bool, kind: sa.types.TypeEngine[object]) -> Value:
    return str(value).lower() if isinstance(kind, sa.String) else int(value)
