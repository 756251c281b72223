"""Rows on their way into a Delta table: Parquet files in a work folder, which one commit makes part of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

_GROUP_ROWS = 262_144
_GROUP_BYTES = 32 << 20
_FILE_BYTES = 128 << 20


@dataclass(frozen=True)
class Part:
    """A finished file and its rows; ``places`` holds where each row stood, if that was asked for."""

    path: Path
    rows: int
    places: Path | None = None


class Parts:
    """Writes rows into files of moderate size, in order; rows of other columns or types start another file.

    One group of rows is compressed in a thread of its own while the next one comes together.
    """

    def __init__(self, folder: Path) -> None:
        self.files: list[Part] = []
        self.rows = 0
        """All rows so far."""
        self._folder = folder
        self._waiting: list[pa.Table] = []
        self._file: _File | None = None
        self._thread = ThreadPoolExecutor(1, "writing")
        self._writing: Future[None] | None = None

    def write(self, rows: pa.Table, places: pa.Table | None = None) -> None:
        """Add rows; ``places`` [rows] says where each stood, and is written beside them."""
        if self._file is not None and (self._file.schema != rows.schema or (self._file.is_full and not self._waiting)):
            self.close()
        if self._file is None:
            self._file = _File(self._folder, rows.schema)
        self._waiting.append(rows)
        self.rows += rows.num_rows
        if places is not None:
            self._file.note(places)
        waiting = sum(table.num_rows for table in self._waiting), sum(table.nbytes for table in self._waiting)
        if waiting[0] >= _GROUP_ROWS or waiting[1] >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Finish the file under way."""
        self._flush()
        self._settle()
        if self._file is not None:
            part = self._file.close()
            self._file = None
            if part.rows:
                self.files.append(part)

    def dataset(self) -> ds.Dataset:
        """The rows of all finished files (one at least)."""
        return ds.dataset([str(part.path) for part in self.files])

    def numbered(self) -> Iterator[tuple[int, Part]]:
        """Each finished file with the number of its first row, counted from 0 over all files."""
        first = 0
        for part in self.files:
            yield first, part
            first += part.rows

    def remove(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        """Take out the rows with these numbers (sorted, counted from 0); the rest keep their order."""
        kept = []
        for first, part in self.numbered():
            inside = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, first + part.rows)] - first
            kept += [part] if not len(inside) else without(part.path, inside, self._folder)
        self.files = kept

    def _flush(self) -> None:
        self._settle()
        if self._file is not None and self._waiting:
            self._writing = self._thread.submit(self._file.write, pa.concat_tables(self._waiting))
        self._waiting = []

    def _settle(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None


class _File:
    """One Parquet file that is being written, and the one of its places."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.schema, self.rows, self.is_full = schema, 0, False
        self._path = folder / f"part-{uuid4()}.parquet"
        self._sink = pa.OSFile(str(self._path), "wb")
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        # Looking for repeated values pays for text only.
        self._writer = pq.ParquetWriter(self._sink, schema, use_dictionary=texts or False)
        self._places: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows, row_group_size=rows.num_rows or None)
        self.rows += rows.num_rows
        self.is_full = self._sink.tell() >= _FILE_BYTES

    def note(self, places: pa.Table) -> None:
        if self._places is None:
            self._places = pq.ParquetWriter(str(self._beside), places.schema)
        self._places.write_table(places)

    def close(self) -> Part:
        self._writer.close()
        self._sink.close()
        if self._places is not None:
            self._places.close()
        return Part(self._path, self.rows, self._beside if self._places is not None else None)

    @property
    def _beside(self) -> Path:
        return self._path.with_suffix(".places")


def without(
    path: Path, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], folder: Path, columns: Sequence[str] | None = None
) -> list[Part]:
    """The rows of a Parquet file but those with these numbers, as a file in ``folder``; none when no row is left."""
    file, rest, first = pq.ParquetFile(path, pre_buffer=False), Parts(folder), 0
    for batch in file.iter_batches(batch_size=_GROUP_ROWS, columns=list(columns) if columns else None):
        inside = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, first + batch.num_rows)] - first
        keep = np.ones(batch.num_rows, dtype=bool)
        keep[inside] = False
        rest.write(pa.Table.from_batches([batch]).filter(pa.array(keep)))
        first += batch.num_rows
    rest.close()
    return rest.files
