"""The bad rows of a dataset: raw values, reasons, where they stood.

The dataset's own commit pins the version of this table that goes with it. A version that no commit pins, written just
before the process was killed, counts for nothing: the next writer starts from the pinned one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.store.tables import Commit, Table

SCHEMA = pa.schema(
    [
        pa.field("load", pa.string()),
        pa.field("portion", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("raw", pa.string()),
        pa.field("reasons", pa.list_(pa.string())),
    ]
)
"""``load``: the digest of the load that found the row bad; ``portion`` and ``row``: the file, and the row's number in
it from 1; ``raw``: the values as a JSON object of texts, or the whole line as a JSON text."""


@dataclass(frozen=True)
class Pin:
    """The version of the quarantine table that goes with a version of the dataset, and its rows."""

    version: int | None = None
    rows: int = 0


class Quarantine:
    """The quarantine table, seen at the pinned version."""

    def __init__(self, table: Table, pin: Pin) -> None:
        self._table, self.pin = table, pin

    def rows(self) -> ds.Dataset | None:
        """The rows that wait; None when none ever did."""
        return None if self.pin.version is None else self._table.dataset(self.pin.version)

    def add(self, bad: pa.RecordBatchReader, count: int, load: str) -> Pin:
        """Put ``count`` more rows beside those that wait; gives the pin to commit."""
        total = self.pin.rows + count
        state = self._table.state()
        if state is None or state.version == self.pin.version:
            return Pin(self._table.append(_reader(bad), Commit("", load, total)), total)
        waiting = self.rows()
        kept = () if waiting is None else waiting.to_batches()
        return Pin(self._table.overwrite(_reader(kept, bad), Commit("", load, total)), total)

    def replace(self, bad: pa.RecordBatchReader, count: int, load: str) -> Pin:
        """Let these rows wait in place of all others; gives the pin to commit."""
        return Pin(self._table.overwrite(_reader(bad), Commit("", load, count)), count)


def _reader(*parts: pa.RecordBatchReader | Iterator[pa.RecordBatch] | tuple[()]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, (batch.cast(SCHEMA) for part in parts for batch in part))
