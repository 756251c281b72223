"""Columns as they come, in the types of the store: fast where they fit already, strict where they are text.

Text is read by the rules of ingest (``store.casting``). Arrow reads most of it many times faster and never takes what
those rules do not, so they are asked only about columns that Arrow refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.schema import ColumnType
from drivetrain.store.casting import typed
from drivetrain.store.files.parquet import as_text
from drivetrain.store.tables import arrow_type

Flags = NDArray[np.bool_]
_LARGEST = float(2**63)


class Typed(NamedTuple):
    """Values of one type, null where a row has none; ``bad`` [n] marks those that had one of another type."""

    values: pa.Array
    bad: Flags


class Reader:
    """Reads columns. Holds a DuckDB in memory, which reaches neither files nor network; for one thread."""

    def __init__(self) -> None:
        self._sql = duckdb.connect(
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 1}
        )
        self._sql.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")

    def close(self) -> None:
        """Let go of the database."""
        self._sql.close()

    def read(self, column: pa.ChunkedArray, kind: ColumnType) -> Typed:
        """A column [n] of any type as one of ``kind``. NaN stays what it is among numbers and is missing elsewhere."""
        values = column.combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_null(values.type):
            return _sound(pa.nulls(len(values), arrow_type(kind)))
        if _FITS[kind](values.type):
            return _fitting(values, kind)
        return self._from_text(as_text(values), kind)

    def _from_text(self, texts: pa.Array, kind: ColumnType) -> Typed:
        if kind is ColumnType.TEXT:
            return _sound(texts)
        quick = _quick(texts, kind)
        if quick is not None:
            return _sound(quick)
        self._sql.register("texts", pa.table({"value": texts}))
        read = self._sql.execute(f"SELECT {typed('value', kind)} AS value FROM texts").to_arrow_table()
        self._sql.unregister("texts")
        values = read.column("value").combine_chunks().cast(arrow_type(kind))
        return Typed(values, flags(values.is_null()) & flags(texts.is_valid()))


def flags(values: pa.Array) -> Flags:
    """Arrow booleans, none of them null, as NumPy's."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _sound(values: pa.Array) -> Typed:
    return Typed(values, np.zeros(len(values), dtype=np.bool_))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FITS: Mapping[ColumnType, Callable[[pa.DataType], bool]] = {
    ColumnType.INTEGER: _is_number,
    ColumnType.NUMBER: _is_number,
    ColumnType.BOOLEAN: pa.types.is_boolean,
    ColumnType.TEXT: _is_text,
    ColumnType.DATE: pa.types.is_date,
    ColumnType.TIMESTAMP: lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind),
}


def _fitting(values: pa.Array, kind: ColumnType) -> Typed:
    if kind is ColumnType.INTEGER and not pa.types.is_signed_integer(values.type):
        return _whole(values)
    if kind is ColumnType.TIMESTAMP:  # finer than microseconds is cut off, as it is in the lake
        values = values.cast(pa.timestamp("us", getattr(values.type, "tz", None)), safe=False)
    return _sound(values.cast(arrow_type(kind), safe=False))


def _whole(values: pa.Array) -> Typed:
    """Numbers as integers; those that are none are bad, NaN is missing."""
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), np.nan), dtype=np.float64)
    missing = np.isnan(numbers)
    with np.errstate(invalid="ignore"):  # infinity has no remainder
        bad = ~missing & ~((numbers % 1 == 0) & (np.abs(numbers) < _LARGEST))
    integers = np.where(missing | bad, 0.0, numbers).astype(np.int64)
    return Typed(pa.array(integers, mask=missing | bad), bad)


def _quick(texts: pa.Array, kind: ColumnType) -> pa.Array | None:
    """The texts as Arrow reads them, where it reads all of them as the rules do."""
    if kind is ColumnType.TIMESTAMP:  # Arrow knows the hour without minutes; the rules do not
        return None
    try:
        values = texts.cast(arrow_type(kind))
    except pa.ArrowInvalid:
        return None
    if kind is ColumnType.INTEGER and pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py():
        return None  # Arrow knows 0x1F
    if kind is ColumnType.NUMBER and pc.all(pc.is_finite(values)).as_py() is False:
        return None
    return values
