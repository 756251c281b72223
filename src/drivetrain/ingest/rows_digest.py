"""The content address of rows, however they are cut into tables."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.digest import digest_of


class RowsDigest:
    """SHA-256 of rows of text in their order. A column counts as one that is missing where it is not there."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, _ColumnDigest] = {}

    def add(self, rows: pa.Table) -> None:
        """The rows come after those before; their columns are text."""
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            if column.null_count < len(column):
                self._columns.setdefault(name, _ColumnDigest()).add(self.rows, column)
        self.rows += rows.num_rows

    def hexdigest(self) -> str:
        """Of all rows so far, as 64 hexadecimal digits."""
        return digest_of(self.rows, {name: column.hexdigest(self.rows) for name, column in self._columns.items()})


class _ColumnDigest:
    """Lengths and texts apart, so that it does not matter where a table ends; a missing value has the length -1."""

    def __init__(self) -> None:
        self._lengths, self._texts, self._passed = hashlib.sha256(), hashlib.sha256(), 0

    def add(self, first: int, column: pa.ChunkedArray) -> None:
        self._pass_to(first)
        lengths = pcompute.fill_null(pcompute.binary_length(column), -1)
        self._lengths.update(lengths.to_numpy().astype(np.int64).tobytes())
        for chunk in column.drop_null().chunks:
            whole = pa.ListArray.from_arrays(pa.array([0, len(chunk)], pa.int32()), chunk)
            self._texts.update(pcompute.binary_join(whole, "")[0].as_buffer())
        self._passed += len(column)

    def hexdigest(self, rows: int) -> tuple[str, str]:
        self._pass_to(rows)
        return self._lengths.hexdigest(), self._texts.hexdigest()

    def _pass_to(self, row: int) -> None:
        self._lengths.update(np.full(row - self._passed, -1, dtype=np.int64).tobytes())
        self._passed = row
