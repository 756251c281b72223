"""Rows that a snapshot of an Iceberg table no longer has, though its data files hold them: which delete file says so.

The rules are those of Iceberg's specification, "Scan Planning".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pcompute
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.manifest import DataFileContent, FileFormat, ManifestEntry
from pyiceberg.table.deletion_vector import PROPERTY_REFERENCED_DATA_FILE, deletion_vectors_from_puffin_file
from pyiceberg.table.puffin import PuffinFile
from pyiceberg.typedef import Record

from drivetrain.ingest.iceberg.files import IcebergFiles
from drivetrain.store.files.parquet import as_text

_FILE_PATH = 2147483546  # the id that the specification gives to the column with the data file's address
Positions = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class LiveFile:
    """A data file of a snapshot: below the table, bytes, its whole address, and what deletes are matched by."""

    path: str
    size: int
    location: str
    sequence: int
    spec_id: int
    partition: Record
    format: str


@dataclass(frozen=True)
class _DeleteFile:
    location: str
    sequence: int
    is_vector: bool
    equal: tuple[int, ...]
    """Ids of the columns by whose values it deletes; none: it deletes by position."""

    def applies_to(self, file: LiveFile) -> bool:
        return self.sequence > file.sequence if self.equal else self.sequence >= file.sequence


@dataclass(frozen=True)
class Gone:
    """What is deleted of one data file: positions in it, in order; and keys, by the ids of their columns."""

    positions: Positions
    keys: Mapping[tuple[int, ...], pa.StringArray]

    def kept(self, columns: Mapping[int, pa.Array], first: int, count: int) -> pa.BooleanArray | None:
        """Which of ``count`` rows from position ``first`` are left; ``columns`` by their ids. None: all of them."""
        low, high = np.searchsorted(self.positions, [first, first + count])
        kept = np.ones(count, dtype=bool)
        kept[self.positions[low:high] - first] = False
        for ids, keys in self.keys.items():
            nothing = pa.nulls(count, pa.string())
            found = pcompute.is_in(_keys([columns.get(number, nothing) for number in ids]), value_set=keys)
            kept &= ~found.to_numpy(zero_copy_only=False)
        return None if kept.all() else pa.array(kept)


class Deletes:
    """The delete files of a snapshot, by the data files to which they apply."""

    def __init__(self, entries: Iterable[ManifestEntry], unpartitioned: set[int], files: IcebergFiles) -> None:
        self._files = files
        self._by_path: dict[str, list[_DeleteFile]] = defaultdict(list)
        self._by_partition: dict[tuple[int, Record], list[_DeleteFile]] = defaultdict(list)
        self._everywhere: list[_DeleteFile] = []
        for entry in entries:
            self._add(entry, unpartitioned)

    def of(self, file: LiveFile) -> Gone | None:
        """What is deleted of a data file; None: nothing. Raises what opening and reading raises."""
        found = [*self._by_path.get(file.location, ()), *self._by_partition.get((file.spec_id, file.partition), ())]
        found = [one for one in (*found, *self._everywhere) if one.applies_to(file)]
        if not found:
            return None
        positions = [self._positions(one, file.location) for one in found if not one.equal]
        keys: dict[tuple[int, ...], list[pa.StringArray]] = defaultdict(list)
        for one in found:
            if one.equal:
                keys[one.equal].extend(self._keys(one))
        none: list[Positions] = [np.zeros(0, dtype=np.int64)]
        return Gone(
            np.unique(np.concatenate(positions or none)), {ids: pa.concat_arrays(parts) for ids, parts in keys.items()}
        )

    def _add(self, entry: ManifestEntry, unpartitioned: set[int]) -> None:
        file = entry.data_file
        is_by_value = file.content == DataFileContent.EQUALITY_DELETES
        found = _DeleteFile(
            file.file_path,
            entry.sequence_number or 0,
            file.file_format == FileFormat.PUFFIN,
            tuple(file.equality_ids or ()) if is_by_value else (),
        )
        low, high = ((bounds or {}).get(_FILE_PATH) for bounds in (file.lower_bounds, file.upper_bounds))
        if is_by_value and file.spec_id in unpartitioned:
            self._everywhere.append(found)
        elif not is_by_value and low is not None and low == high:
            self._by_path[low.decode()].append(found)
        else:
            self._by_partition[file.spec_id, file.partition].append(found)

    def _positions(self, delete: _DeleteFile, location: str) -> Positions:
        with self._files.open(delete.location) as content:
            if not delete.is_vector:
                rows = pq.read_table(content, columns=["pos"], filters=[("file_path", "==", location)])
                return np.asarray(rows["pos"], dtype=np.int64)
            vectors = PuffinFile(content.read())
        wanted = [blob for blob in vectors.footer.blobs if blob.properties[PROPERTY_REFERENCED_DATA_FILE] == location]
        vectors.footer = vectors.footer.model_copy(update={"blobs": wanted})  # the others need not be unpacked
        parts = [np.asarray(vector.to_vector()) for vector in deletion_vectors_from_puffin_file(vectors)]
        return np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(np.int64)

    def _keys(self, delete: _DeleteFile) -> Iterator[pa.StringArray]:
        with self._files.open(delete.location) as content:
            parquet = pq.ParquetFile(content, pre_buffer=False)
            schema = pyarrow_to_schema(parquet.schema_arrow)
            names = [schema.find_column_name(number) or "" for number in delete.equal]
            for batch in parquet.iter_batches(columns=names):
                yield _keys([batch.column(name) for name in names])


def _keys(columns: list[pa.Array]) -> pa.StringArray:
    """A text for each row, the same for the same values only: the length of each value before it, `-` for none."""
    parts = []
    for column in columns:
        text = as_text(column)
        parts += [pcompute.fill_null(pcompute.binary_length(text).cast(pa.string()), "-"), pcompute.fill_null(text, "")]
    return pcompute.binary_join_element_wise(*parts, ":")
