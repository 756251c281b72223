"""The digest of rows in any order and any batches, since a database promises neither."""

from __future__ import annotations

import hashlib

import duckdb
import pyarrow as pa

from drivetrain.store.casting import listed


class Content:
    """Adds up two 64-bit hashes of every row (a multiset hash) and hashes the sums with SHA-256."""

    def __init__(self) -> None:
        self._sql = duckdb.connect(config={"threads": 1})
        self.rows, self.batches, self._sums = 0, 0, (0, 0)

    def add(self, rows: pa.Table) -> None:
        """Count rows in."""
        columns = listed(rows.column_names)
        self._sql.register("batch", rows)
        found = self._sql.execute(
            f"SELECT sum(hash({columns})::HUGEINT), sum(hash('again', {columns})::HUGEINT) FROM batch"
        ).fetchone()
        self._sql.unregister("batch")
        assert found is not None
        self._sums = (self._sums[0] + int(found[0] or 0), self._sums[1] + int(found[1] or 0))
        self.rows += rows.num_rows
        self.batches += 1

    @property
    def digest(self) -> str:
        """SHA-256 over the number of rows and the sums."""
        return hashlib.sha256(repr((self.rows, self._sums)).encode()).hexdigest()
