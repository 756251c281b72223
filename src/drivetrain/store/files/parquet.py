"""Parquet, row group by row group. Values become text without loss, so that one contract judges every format."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pcompute
import pyarrow.parquet as pq

from drivetrain.core.errors import InvalidInput
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content, foreign
from drivetrain.store.files.delimited import check_names
from drivetrain.store.tables import schema_of

_ROWS = 65_536


def read_parquet(content: Content) -> Iterator[Batch]:
    """All rows of the file, numbered from 1. Raises InvalidInput with the file's name when it is not Parquet."""
    with _seekable(content) as file:
        try:
            parquet = pq.ParquetFile(file)
            check_names(tuple(parquet.schema_arrow.names), content.name)
            declared, passed = schema_of(parquet.schema_arrow), 0
            for batch in parquet.iter_batches(batch_size=_ROWS):
                numbers = pa.array(np.arange(passed + 1, passed + 1 + batch.num_rows))
                rows = pa.table({name: as_text(batch.column(name)) for name in batch.schema.names})
                passed += batch.num_rows
                done = content.at_rest * passed // parquet.metadata.num_rows
                yield Batch(content.name, rows, numbers, declared=declared, done=done)
        except (pa.ArrowException, OSError) as error:
            raise _explain(error, content) from error


@contextmanager
def _seekable(content: Content) -> Iterator[BinaryIO]:
    """The content, hashed whole, as a file that can be read in any order; a compressed one is unpacked for a while."""
    with tempfile.TemporaryFile() if content.compressed else content.path.open("rb") as file:
        if content.compressed:
            shutil.copyfileobj(content, file, 1 << 20)
            file.seek(0)
        else:
            content.skip(1 << 62)
        yield cast(BinaryIO, file)


def as_text(column: pa.Array) -> pa.Array:
    """The values as text without loss, null where there is none (NaN is none); nested ones and bytes as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.string())
    if pa.types.is_floating(kind):
        wide = column.cast(pa.float64())  # before it is text: 0.1 in 32 bits is not the number that "0.1" names
        return pcompute.if_else(pcompute.is_nan(wide), pa.scalar(None, pa.string()), wide.cast(pa.string()))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
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
