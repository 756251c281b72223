"""Rows as BigQuery writes them in JSON, as Arrow in the types that its Storage Read API gives them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec
import pyarrow as pa

from drivetrain.core.decoding import read_json
from drivetrain.ingest.bigquery.jobs import Cell, Field, Row, Schema

Value = object
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAME = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_KINDS: dict[str, tuple[pa.DataType, Callable[[str], Value]]] = {
    "INT64": (pa.int64(), int),
    "FLOAT64": (pa.float64(), float),
    "BOOL": (pa.bool_(), lambda text: text == "true"),
    "NUMERIC": (pa.decimal128(38, 9), Decimal),
    "BIGNUMERIC": (pa.decimal256(76, 38), Decimal),
    "DATE": (pa.date32(), date.fromisoformat),
    "TIME": (pa.time64("us"), time.fromisoformat),
    "DATETIME": (pa.timestamp("us"), datetime.fromisoformat),
    "TIMESTAMP": (pa.timestamp("us", "UTC"), lambda text: _EPOCH + timedelta(microseconds=int(text))),
    "BYTES": (pa.binary(), base64.b64decode),
}


def kind_of(field: Field) -> str:
    """The name of a column's type in GoogleSQL."""
    return _SAME.get(field.type, field.type)


def table_of(schema: Schema, rows: list[Row]) -> pa.Table:
    """The rows as Arrow; types without one of their own are text."""
    columns = [[_value(row.f[place], field) for row in rows] for place, field in enumerate(schema.fields)]
    arrays = [pa.array(column, _type(field)) for column, field in zip(columns, schema.fields, strict=True)]
    return pa.Table.from_arrays(arrays, names=[field.name for field in schema.fields])


def _type(field: Field) -> pa.DataType:
    if kind_of(field) == "STRUCT":
        kind = pa.struct([pa.field(inner.name, _type(inner)) for inner in field.fields])
    else:
        kind = _KINDS.get(kind_of(field), (pa.string(), str))[0]
    return pa.list_(kind) if field.mode == "REPEATED" else kind


def _value(cell: Cell, field: Field) -> Value:
    if bytes(cell.v) == b"null":
        return [] if field.mode == "REPEATED" else None
    if field.mode == "REPEATED":
        one = msgspec.structs.replace(field, mode="NULLABLE")
        return [_value(item, one) for item in read_json(bytes(cell.v), list[Cell])]
    if kind_of(field) == "STRUCT":
        inner = read_json(bytes(cell.v), Row)
        return {part.name: _value(value, part) for part, value in zip(field.fields, inner.f, strict=True)}
    return _KINDS.get(kind_of(field), (pa.string(), str))[1](read_json(bytes(cell.v), str))
