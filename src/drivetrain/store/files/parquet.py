"""Parquet, row group by row group, in its own types; and values as text without loss, for a contract to judge."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pcompute
import pyarrow.parquet as pq

from drivetrain.core.errors import InvalidInput
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content, random_access
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.marks import foreign
from drivetrain.store.tables import schema_of

_ROWS, _SIZE = 98_304, 16 << 20  # a batch: many rows at once are judged faster; of wide ones, so many bytes
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)


def read_parquet(content: Content) -> Iterator[Batch]:
    """All rows of the file, numbered from 1. Raises InvalidInput with the file's name when it is not Parquet."""
    with random_access(content) as file:
        try:
            parquet = pq.ParquetFile(file, pre_buffer=False)  # else it holds all that it has read of the file
            check_names(tuple(parquet.schema_arrow.names), content.name)
            passed = 0
            for batch in parquet.iter_batches(batch_size=_rows_at_once(parquet.metadata)):
                done = content.at_rest * (passed + batch.num_rows) // parquet.metadata.num_rows
                yield typed_batch(content.name, batch, passed, done)
                passed += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _explain(error, content) from error


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    size: int = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(_ROWS, _SIZE * rows // max(size, 1)))


def typed_batch(name: str, rows: pa.RecordBatch, passed: int, done: int) -> Batch:
    """Rows that have types, after ``passed`` others; the types of text columns are declared too."""
    numbers = pa.array(np.arange(passed + 1, passed + 1 + rows.num_rows))
    return Batch(name, pa.Table.from_batches([rows]), numbers, declared=schema_of(rows.schema), done=done)


def as_text(column: pa.Array) -> pa.Array:
    """The values as text without loss, null where there is none (NaN is none); nested ones and bytes as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(column.indices, as_text(column.dictionary)).dictionary_decode()
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.string())
    if pa.types.is_floating(kind):
        wide = column.cast(pa.float64())  # before it is text: 0.1 in 32 bits is not the number that "0.1" names
        return pcompute.if_else(pcompute.is_nan(wide), pa.scalar(None, pa.string()), wide.cast(pa.string()))
    if isinstance(kind, pa.UuidType):
        return pa.array((None if value is None else str(value) for value in column.to_pylist()), pa.string())
    if pa.types.is_nested(kind) or any(is_bytes(kind) for is_bytes in _BYTES):
        values = (None if value is None else msgspec.json.encode(value).decode() for value in column.to_pylist())
        return pa.array(values, pa.string())
    return column.cast(pa.string())


def _explain(error: Exception, content: Content) -> InvalidInput:
    with Content(content.name, content.path) as again:
        head = again.peek(16)
    what = "a damaged or cut off Parquet file" if head.startswith(b"PAR1") else foreign(head) or "not a Parquet file"
    return InvalidInput(
        "parquet_invalid",
        f"this is {what} ({str(error).splitlines()[0]})",
        where=content.name,
        hint="fetch or write the file again, or correct `path` or `format`",
    )
