"""The columns of a relation: what the database says of their types, and what becomes of them.

Integers, floats, booleans, dates and timestamps keep their types; a timestamp without a zone is taken in the zone of
the source. A decimal without places that fits 64 bits is an integer, any other goes as text with every digit and is
declared a number. Bytes become hexadecimal text, arrays and composites JSON, everything else the database's own text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.schema import Column, ColumnType, Schema

MARK, GONE = "drivetrain_cursor", "drivetrain_deleted"
"""Columns beside the relation's own: the cursor as it was read, and whether the row was deleted."""


class Kind(StrEnum):
    """How a column travels."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    UNKNOWN = "unknown"
    """The database does not say: each batch tells by its values."""


_TYPES = {
    Kind.INTEGER: ColumnType.INTEGER,
    Kind.FLOAT: ColumnType.NUMBER,
    Kind.DECIMAL: ColumnType.NUMBER,
    Kind.BOOLEAN: ColumnType.BOOLEAN,
    Kind.DATE: ColumnType.DATE,
    Kind.TIMESTAMP: ColumnType.TIMESTAMP,
}


@dataclass(frozen=True)
class Field:
    """A column of the relation: its name, its type, and in ``declared`` what the database promises when values vary."""

    name: str
    kind: Kind
    declared: ColumnType | None = None


def declared(fields: Iterable[Field]) -> Schema | None:
    """The types the database promises; None where it does not promise all."""
    types = {
        field.name: field.declared or (None if field.kind is Kind.UNKNOWN else _TYPES.get(field.kind, ColumnType.TEXT))
        for field in fields
    }
    known = tuple(Column(name, kind) for name, kind in types.items() if kind is not None)
    return Schema(known) if len(known) == len(types) else None


def finished(rows: pa.Table, fields: Sequence[Field], time_zone: str) -> pa.Table:
    """The relation's own columns, in the types of a Batch."""
    return pa.table({field.name: _finish(rows.column(place), time_zone) for place, field in enumerate(fields)})


def _finish(column: pa.ChunkedArray, time_zone: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_floating(kind):
        wide = column.cast(pa.float64())
        return pcompute.if_else(pcompute.is_nan(wide), pa.scalar(None, pa.float64()), wide)
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            column = pcompute.assume_timezone(column, time_zone, ambiguous="earliest", nonexistent="latest")
        return column.cast(pa.timestamp("us", "UTC"), safe=False)
    return column
