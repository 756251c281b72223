"""A column of a source in the type of the table: by Arrow where it reads a value as our SQL would, else by that SQL."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.schema import ColumnType
from drivetrain.store.casting import typed
from drivetrain.store.files.parquet import as_text
from drivetrain.store.tables import arrow_type

_NAIVE = pa.timestamp("us")


@dataclass(frozen=True)
class Values:
    """A column [rows] in the table's type, null where there is no value or none of that type: there ``bad`` is true."""

    values: pa.Array
    bad: npt.NDArray[np.bool_] | None = None


def cast_values(column: pa.Array, kind: ColumnType, sql: duckdb.DuckDBPyConnection, form: str | None = None) -> Values:
    """The values of a column of any Arrow type as values of ``kind``; ``form`` is how text is written."""
    is_text = pa.types.is_string(column.type)
    quick = (None if form else _of_text(column, kind)) if is_text else _of_typed(column, kind)
    if quick is not None:
        return Values(quick)
    text = as_text(column)
    sql.register("texts", pa.table({"value": text}))
    found = (
        sql.sql(f"SELECT {typed('value', kind, form if is_text else None)} AS value FROM texts")
        .to_arrow_table()
        .column(0)
    )
    sql.unregister("texts")
    values = found.combine_chunks().cast(arrow_type(kind))
    bad = np.asarray(pcompute.and_(values.is_null(), text.is_valid()))
    return Values(values, bad if bad.any() else None)


def _of_text(text: pa.Array, kind: ColumnType) -> pa.Array | None:
    """None where Arrow refuses a value, or would take one that is not written as we ask."""
    if kind is ColumnType.TEXT:
        return text
    try:
        if kind is ColumnType.TIMESTAMP:
            return _timestamps(text)
        if kind is ColumnType.INTEGER and _any(pcompute.match_substring(text, "x", ignore_case=True)):
            return None  # 0x1F
        values = text.cast(arrow_type(kind))
    except pa.ArrowInvalid:
        return None
    return values if kind is not ColumnType.NUMBER or _finite(values) else None


def _timestamps(text: pa.Array) -> pa.Array | None:
    """Arrow takes an hour without minutes, 2020-01-01 10, which its length betrays."""
    lengths = pcompute.min_max(pcompute.binary_length(text))
    least, most = lengths["min"].as_py(), lengths["max"].as_py()
    if least is None or least == most == 10 or least >= 16:
        try:
            return text.cast(_NAIVE).cast(arrow_type(ColumnType.TIMESTAMP))
        except pa.ArrowInvalid:
            return text.cast(arrow_type(ColumnType.TIMESTAMP)) if least >= 20 else None
    return None


def _of_typed(column: pa.Array, kind: ColumnType) -> pa.Array | None:
    """None where the types differ by more than their width: then the text of a value decides."""
    source, target = column.type, arrow_type(kind)
    if source == target and kind is not ColumnType.NUMBER:
        return column
    try:
        if kind is ColumnType.INTEGER and pa.types.is_integer(source):
            return column.cast(target)
        if kind is ColumnType.NUMBER and (pa.types.is_floating(source) or pa.types.is_integer(source)):
            values = column.cast(target, safe=False)
            if _any(pcompute.is_nan(values)):
                values = pcompute.if_else(pcompute.is_nan(values), pa.scalar(None, target), values)
            return values if _finite(values) else None
        if kind is ColumnType.TIMESTAMP and pa.types.is_timestamp(source):
            return column.cast(pa.timestamp("us", source.tz), safe=False).cast(target)
        if kind is ColumnType.TIMESTAMP and pa.types.is_date32(source):
            return column.cast(_NAIVE).cast(target)
    except pa.ArrowInvalid:
        return None
    return as_text(column) if kind is ColumnType.TEXT else None


def _finite(values: pa.Array) -> bool:
    return not _any(pcompute.invert(pcompute.is_finite(values)))


def _any(flags: pa.Array) -> bool:
    return pcompute.any(flags).as_py() is True
