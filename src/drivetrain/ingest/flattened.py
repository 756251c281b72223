"""Nested values as rows: dotted names for what is nested, JSON text for lists and for what is too deep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pyarrow as pa

Row = dict[str, str | None]
_encode = msgspec.json.encode


def flatten(record: Mapping[str, object], depth: int) -> Row:
    """One row: ``{"a": {"b": 1}}`` gives the column ``a.b``, down to ``depth`` names; the values are text."""
    row: Row = {}
    _add(row, "", record, depth)
    return row


def as_text(value: object) -> str | None:
    """A value as text: times in ISO 8601, bytes in base64, lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)  # JSON has no word for what is not finite
    text = _encode(value).decode()
    return text[1:-1] if text.startswith('"') else text  # times, decimals, bytes: they hold nothing that JSON escapes


def table_of(rows: Iterable[Row]) -> pa.Table:
    """The rows with every column that one of them has, as text; what a row does not have is missing there.

    Where an object is null in some rows and nested in others, its own name, which holds nothing, is left out.
    """
    rows = list(rows)
    names = {name: None for row in rows for name in row}
    parents = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    kept = {name: column for name, column in columns.items() if name not in parents or column.null_count < len(column)}
    return pa.table(kept)


def _add(row: Row, prefix: str, record: Mapping[str, object], depth: int) -> None:
    for name, value in record.items():
        if isinstance(value, Mapping) and depth > 1:
            _add(row, f"{prefix}{name}.", value, depth - 1)
        else:
            row[prefix + name] = as_text(value)
