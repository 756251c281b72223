"""Blocks of JSON messages of one shape, taken apart by Arrow: several times as fast as one by one, and the same rows.

What Arrow reads otherwise than ``JsonDecoder`` is given back to it: a block with any such message is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pcompute
import pyarrow.json as pjson

from drivetrain.ingest.flat_columns import Record

Shape = dict[str, pa.DataType]
_TRIES = 8  # blocks of another shape, until no more are tried
_NULL = type(None)
_TYPES = {
    frozenset[type](): pa.null(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
    frozenset({str}): pa.string(),
}


class AlikeMessages:
    """The shape of the messages of one source, learned from blocks that were taken apart one by one."""

    def __init__(self, depth: int, as_written: frozenset[str]) -> None:
        """``depth`` is how deep objects become columns; numbers of the columns ``as_written`` must keep their text."""
        self._depth, self._as_written = depth, as_written
        self._fields: dict[str, pa.DataType] = {}
        self._left = _TRIES
        self._options: pjson.ParseOptions | None = None

    def columns(self, contents: Sequence[bytes | None]) -> dict[str, pa.Array] | None:
        """The columns [messages] in their own types, with dotted names; None when not all have the known shape."""
        if self._options is None or None in contents:
            return None
        lines = b"\n".join(filter(None, contents))
        if not _are_objects(lines, len(contents)):
            return None
        try:
            str(lines, "utf-8")  # Arrow does not look
            table = pjson.read_json(pa.BufferReader(lines), parse_options=self._options)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        columns = dict(_flat("", table.combine_chunks().to_batches()[0]))
        if table.num_rows != len(contents) or _has_empty(list(columns.values())) or any(map(_is_odd, columns.values())):
            return None
        return columns

    def learn(self, records: Sequence[Record]) -> None:
        """Learn the shape of a block that ``columns`` did not take."""
        shape = _shape_of(records, self._depth, self._as_written) if self._left and records else None
        wanted = shape if shape is None else _joined(self._fields, shape)
        self._left = self._left - 1 if wanted is not None else 0
        self._fields = wanted or {}
        schema = pa.schema(list(self._fields.items()))
        self._options = None
        if self._fields:
            self._options = pjson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")


def _are_objects(lines: bytes, count: int) -> bool:
    """Whether every line could be an object: then none spreads over two, and ``count`` objects are one each."""
    bare = lines.count(b"\n") == lines.count(b"}\n{") == count - 1
    return bare and lines.startswith(b"{") and lines.endswith(b"}")


def _shape_of(records: Sequence[Record], depth: int, as_written: frozenset[str], prefix: str = "") -> Shape | None:
    """The type of each field; None where a field has none that all records share, or is a list or too deep."""
    shape: Shape = {}
    for name in dict.fromkeys(chain.from_iterable(records)):
        values = [record.get(name) for record in records]
        kinds = frozenset(map(type, values)) - {_NULL}
        full = prefix + name
        if kinds == {dict} and depth > 1:
            inner = _shape_of([one for one in values if isinstance(one, Mapping)], depth - 1, as_written, f"{full}.")
            kind = pa.struct(list(inner.items())) if inner else None
        else:
            kind = _TYPES.get(kinds)
        if kind is None or (kind == pa.float64() and full in as_written):
            return None
        shape[name] = kind
    return shape


def _joined(known: Shape, found: Shape) -> Shape | None:
    """A shape that takes the messages of both; None where there is none."""
    both = dict(known)
    for name, kind in found.items():
        joined = _wider(both.get(name, pa.null()), kind)
        if joined is None:
            return None
        both[name] = joined
    return both


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = _joined(*({field.name: field.type for field in kind} for kind in (one, other)))
        return None if fields is None else pa.struct(list(fields.items()))
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else None


def _flat(prefix: str, rows: pa.RecordBatch) -> Iterator[tuple[str, pa.Array]]:
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if pa.types.is_struct(column.type):
            yield from _flat(f"{prefix}{name}.", pa.RecordBatch.from_arrays(column.flatten(), column.type.names))
        else:
            yield prefix + name, column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _has_empty(columns: Sequence[pa.Array]) -> bool:
    """Whether a row has no value at all: it may have no fields."""
    if any(column.null_count == 0 for column in columns):
        return False
    empty = columns[0].is_null()
    for column in columns[1:]:
        empty = pcompute.and_(empty, column.is_null())
    return pcompute.any(empty).as_py() is True


def _is_odd(column: pa.Array) -> bool:
    """Whether there is a number that JSON does not have, such as NaN: Arrow takes it."""
    return pa.types.is_floating(column.type) and pcompute.all(pcompute.is_finite(column)).as_py() is False
