"""Arrow IPC, as a file (Feather 2) or as a stream, batch by batch. Values become text without loss, as of Parquet."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from drivetrain.core.errors import InvalidInput
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content, random_access
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.marks import foreign
from drivetrain.store.files.parquet import typed_batch

_ROWS = 65_536
_MARK = b"ARROW1"


def read_arrow(content: Content) -> Iterator[Batch]:
    """All rows, numbered from 1. Raises InvalidInput with the file's name when it is neither form of Arrow IPC."""
    head, passed, size = content.peek(16), 0, content.path.stat().st_size
    try:
        for rows, share in _of_file(content) if head.startswith(_MARK) else _of_stream(content):
            for part in _parts(rows):
                done = int(size * share) if share else content.at_rest
                yield typed_batch(content.name, part, passed, done)
                passed += part.num_rows
    except (pa.ArrowException, OSError) as error:
        what = "a damaged or cut off Arrow file" if head.startswith(_MARK) else foreign(head) or "not an Arrow stream"
        raise InvalidInput(
            "arrow_unreadable",
            f"this is {what} ({str(error).splitlines()[0]})",
            where=content.name,
            hint="fetch or write the file again, or correct `path` or `format`",
        ) from error


def _of_file(content: Content) -> Iterator[tuple[pa.RecordBatch, float]]:
    with random_access(content) as file, pa.ipc.open_file(file) as reader:
        check_names(tuple(reader.schema.names), content.name)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number), (number + 1) / reader.num_record_batches


def _of_stream(content: Content) -> Iterator[tuple[pa.RecordBatch, float]]:
    with pa.ipc.open_stream(content) as reader:
        check_names(tuple(reader.schema.names), content.name)
        for batch in reader:
            yield batch, 0.0
    if content.peek(1):
        raise pa.ArrowInvalid("there is more after its end")


def _parts(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows.validate(full=True)  # offsets that point elsewhere would be read
    for start in range(0, rows.num_rows, _ROWS):
        yield rows.slice(start, _ROWS)
