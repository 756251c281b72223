"""What ``flattened`` makes of a record, for many records at a time: a column at a time is several times as fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain

import pyarrow as pa

from drivetrain.ingest.flattened import as_text

Record = Mapping[str, object]
_NOTHING: Record = {}


def columns_of(records: Sequence[Record], depth: int) -> dict[str, pa.StringArray]:
    """The columns of records, as text [records]: ``{"a": {"b": 1}}`` gives ``a.b``, down to ``depth`` names.

    What a record does not have is missing there. An object is a column of its own only where it holds something else.
    """
    columns: dict[str, pa.StringArray] = {}
    _add(columns, "", records, depth)
    return columns


def names_of(record: Record, depth: int) -> tuple[str, ...]:
    """The names of the columns of one record."""
    return tuple(columns_of([record], depth))


def _add(columns: dict[str, pa.StringArray], prefix: str, records: Sequence[Record], depth: int) -> None:
    for name in dict.fromkeys(chain.from_iterable(records)):
        values = [record.get(name) for record in records]
        kinds = set(map(type, values))
        if dict in kinds and depth > 1:
            inner = [value if type(value) is dict else _NOTHING for value in values]
            _add(columns, f"{prefix}{name}.", inner, depth - 1)
            if not kinds <= {dict, type(None)} or not any(inner):
                columns[prefix + name] = _texts([None if type(value) is dict else value for value in values])
        else:
            columns[prefix + name] = _texts(values)


def _texts(values: Sequence[object]) -> pa.StringArray:
    """The values as text; what has one plain type is written by Arrow, as ``as_text`` writes it."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {bool}:
        return pa.array(values, pa.bool_()).cast(pa.string())
    if kinds == {int}:
        with suppress(OverflowError):
            return pa.array(values, pa.int64()).cast(pa.string())
    if kinds == {float} and None not in values:
        return pa.array(list(map(repr, values)), pa.string())
    return pa.array(values if kinds <= {str} else list(map(as_text, values)), pa.string())
