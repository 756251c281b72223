"""Whatever Python holds rows in, as text: Arrow tables, pandas or Polars frames, dicts, or iterables of any of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import numpy as np
import pyarrow as pa

from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.nested import Columns, JsonObject, flat_rows
from drivetrain.ingest.row_batches import MOST_ROWS, Piece
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.parquet import as_text
from drivetrain.store.tables import schema_of

_INDEX = re.compile(r"__index_level_\d+__")  # of a pandas frame: numbers of rows; an index with a name is a column


def pieces_of(found: object, where: str, depth: int) -> Iterator[Piece]:
    """The rows in ``found``, in order. Raises InvalidInput for what is no row or cannot be written as text."""
    columns = Columns(where)
    for rows in _together(_items(found, where)):
        if isinstance(rows, pa.Table):
            yield piece_of_table(rows, depth, where)
        else:
            flat = [row for record in rows for row in flat_rows(record, depth, None, where)]
            try:
                table = columns.table([{name: _plain(value) for name, value in row.items()} for row in flat])
            except TypeError as error:
                raise InvalidInput(
                    "value_not_text",
                    f"a value cannot be written as text: {error}",
                    where=where,
                    hint="give text, numbers, booleans, dates, times, lists or dicts",
                ) from None
            yield Piece(table, columns.declared, optional_fields=True)


def _items(found: object, where: str) -> Iterator[pa.Table | JsonObject]:
    if isinstance(found, Mapping):
        yield cast(JsonObject, found)
    elif isinstance(found, pa.RecordBatch):
        yield pa.Table.from_batches([found])
    elif hasattr(found, "__arrow_c_stream__"):  # tables, frames and readers give their rows so (Arrow PyCapsule)
        for batch in pa.RecordBatchReader.from_stream(found):
            yield pa.Table.from_batches([batch])
    elif isinstance(found, Iterable) and not isinstance(found, str | bytes):
        for item in found:
            yield from _items(item, where)
    else:
        raise InvalidInput(
            "source_item_unknown",
            f"these are no rows: {type(found).__name__}",
            where=where,
            hint="give or yield Arrow tables, pandas or Polars frames, or dicts with text as keys",
        )


def _together(items: Iterator[pa.Table | JsonObject]) -> Iterator[pa.Table | list[JsonObject]]:
    """Tables as they are, dicts by the thousand."""
    records: list[JsonObject] = []
    for item in items:
        is_table = isinstance(item, pa.Table)
        if not is_table:
            records.append(item)
        if records and (is_table or len(records) == MOST_ROWS):
            yield records
            records = []
        if is_table:
            yield item
    if records:
        yield records


def piece_of_table(table: pa.Table, depth: int, where: str) -> Piece:
    """An Arrow table as text; structs become columns down to ``depth``. Raises InvalidInput for names of columns."""
    for _ in range(1, depth):
        table = table.flatten()
    table = table.select([name for name in table.column_names if not _INDEX.fullmatch(name)])
    check_names(tuple(table.column_names), where)
    rows = {
        name: pa.chunked_array([as_text(chunk) for chunk in column.chunks], pa.string())
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return Piece(pa.table(rows), schema_of(table.schema))


def _plain(value: object) -> object:
    """A value of NumPy as Python's; what is not a number is missing."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - only NaN differs from itself
