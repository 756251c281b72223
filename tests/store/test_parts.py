"""Files of rows on their way into a table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivetrain.store.parts import Parts, without


def rows(first: int, count: int) -> pa.Table:
    return pa.table({"id": pa.array(range(first, first + count), pa.int64())})


def ids(parts: Parts) -> list[int]:
    return [one for part in parts.files for one in pq.read_table(part.path).column("id").to_pylist()]


def test_other_columns_start_another_file(tmp_path):
    parts = Parts(tmp_path)
    parts.write(rows(0, 3))
    parts.write(rows(3, 2))
    parts.write(rows(5, 1).append_column("word", pa.array(["x"])))
    assert parts.rows == 6
    parts.close()
    assert [part.rows for part in parts.files] == [5, 1]
    assert [first for first, _ in parts.numbered()] == [0, 5]
    assert parts.dataset().count_rows() == 6


def test_places_stand_beside_their_rows(tmp_path):
    parts = Parts(tmp_path)
    parts.write(rows(0, 2), pa.table({"row": [7, 9]}))
    parts.write(rows(2, 1), pa.table({"row": [12]}))
    parts.close()
    (part,) = parts.files
    assert part.places is not None
    assert pq.read_table(part.places).column("row").to_pylist() == [7, 9, 12]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.sets(st.integers(0, 159)))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_taken_out_by_number(tmp_path, sizes, out):
    parts, first = Parts(tmp_path), 0
    for size in sizes:
        parts.write(rows(first, size))
        parts.close()
        first += size
    gone = sorted(number for number in out if number < first)
    parts.remove(np.array(gone, dtype=np.int64))
    assert ids(parts) == [number for number in range(first) if number not in out]


def test_a_file_without_rows_is_no_file(tmp_path):
    parts = Parts(tmp_path)
    parts.write(rows(0, 2))
    parts.close()
    assert without(parts.files[0].path, np.array([0, 1]), tmp_path) == []
    parts.remove(np.array([0, 1]))
    assert parts.files == []
