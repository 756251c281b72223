"""Nested rows to typed columns: objects become dotted columns, lists stay JSON text or one row each.

Numbers of JSON keep their text. They become a column of type `number` only while all its values fit into 64 bits
without loss; else it is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec
import pyarrow as pa

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.ingest.flattened import as_text
from drivetrain.store.files.delimited import check_names

Json = object
"""A JSON value; a number with a point or an exponent is a ``msgspec.Raw``, as it was written."""
JsonObject = Mapping[str, Json]

_decode = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode
_LIKE_A_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|(?i:true|false)")
_EXACT = 15  # digits that a 64 bit float holds, whatever they are


def read_value(content: bytes | str) -> Json:
    """The JSON value, with the text of its numbers. Raises msgspec.DecodeError and RecursionError."""
    return _decode(content)


def at(value: Json, path: str) -> Json:
    """What lies at a dotted path; None where there is nothing. An empty path is the value itself.

    A key that is written like the whole path comes first, as some hold dots: ``@odata.nextLink``.
    """
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for step in filter(None, path.split(".")):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def flat_rows(record: JsonObject, depth: int, explode: str | None, where: str) -> Iterator[JsonObject]:
    """The record as rows of columns with up to ``depth`` dotted names; one row for each item of the list ``explode``.

    Without items there is one row, which lacks their columns. Raises InvalidInput where two values claim a column.
    """
    row = _flat(record, depth, where)
    items = row.pop(explode, None) if explode is not None else None
    if explode is None or items is None or items == []:
        yield row
        return
    for item in items if isinstance(items, list) else [items]:
        yield {**row, **_flat({explode: item}, depth + 1, where)}


def _flat(record: JsonObject, depth: int, where: str) -> dict[str, Json]:
    row: dict[str, Json] = {}
    waiting = [("", record, depth)]
    while waiting:
        before, inner, levels = waiting.pop()
        for key, value in inner.items():
            name = before + key
            if levels > 1 and isinstance(value, dict):
                waiting.append((f"{name}.", value, levels - 1))
            elif name in row:
                raise InvalidInput(
                    "column_twice",
                    f"two values of one row are called {name!r}",
                    where=where,
                    hint="lower `depth`, so that nested objects stay JSON text",
                )
            else:
                row[name] = value
    return row


class Columns:
    """Makes tables of rows, and remembers over a load which kinds of values each column had."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._kinds: dict[str, set[ColumnType | None]] = {}
        self._parents: set[str] = set()

    def table(self, rows: Sequence[JsonObject]) -> pa.Table:
        """The rows as text. A null beside dotted columns of the same name is an object that is not there."""
        values = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
        self._parents |= {name[:dot] for name in values for dot, letter in enumerate(name) if letter == "."}
        values = {name: cells for name, cells in values.items() if name not in self._parents or _has_any(cells)}
        check_names(tuple(values), self._where)
        for name, cells in values.items():
            self._kinds.setdefault(name, set()).update(_kind(cell) for cell in cells if cell is not None)
        return pa.table({name: pa.array(list(map(as_text, cells)), pa.string()) for name, cells in values.items()})

    @property
    def declared(self) -> Schema:
        """The types of the columns whose values all agree; others are for the stage to find out."""
        found = ((name, _agreed(kinds)) for name, kinds in self._kinds.items())
        return Schema(tuple(Column(name, kind) for name, kind in found if kind is not None))


def _has_any(cells: Sequence[Json]) -> bool:
    return any(cell is not None for cell in cells)


def _kind(value: Json) -> ColumnType | None:
    """The type that a value has; None for a text that may be a date, which JSON cannot tell."""
    match value:
        case str():
            return ColumnType.TEXT if _LIKE_A_NUMBER.fullmatch(value) else None
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER if -(1 << 63) <= value < 1 << 63 else ColumnType.TEXT
        case float():
            return ColumnType.NUMBER
        case msgspec.Raw():
            return ColumnType.NUMBER if _fits(bytes(value).decode()) else ColumnType.TEXT
        case Decimal():
            return ColumnType.NUMBER if _fits(str(value)) else ColumnType.TEXT
        case datetime():
            return ColumnType.TIMESTAMP
        case date():
            return ColumnType.DATE
        case _:
            return ColumnType.TEXT


def _fits(number: str) -> bool:
    return len(number) <= _EXACT or Decimal(number) == Decimal(repr(float(number)))


def _agreed(kinds: set[ColumnType | None]) -> ColumnType | None:
    if kinds == {ColumnType.INTEGER, ColumnType.NUMBER}:
        return ColumnType.NUMBER
    if ColumnType.TEXT in kinds:
        return ColumnType.TEXT
    return next(iter(kinds)) if len(kinds) == 1 else None
