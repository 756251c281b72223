"""Small files are merged by a process of its own."""

from __future__ import annotations

import pyarrow as pa
import pytest

from drivetrain.core.errors import Transient
from drivetrain.store.compaction import Compaction
from drivetrain.store.tables import Commit, Table


def test_small_files_become_one(tmp_path):
    table, never = Table(tmp_path / "calls"), Table(tmp_path / "never")
    for number in range(5):
        table.extend(pa.table({"id": [number]}), Commit("", "digest", number + 1))
    Compaction([table, never]).wait()
    assert len(table.files()) == 1
    assert sorted(table.read().column("id").to_pylist()) == list(range(5))
    state = table.state()
    assert state is not None
    assert state.commit.rows == 5


def test_what_went_wrong_is_told(tmp_path):
    table = Table(tmp_path / "calls")
    table.extend(pa.table({"id": [1]}), Commit("", "digest", 1))
    table.extend(pa.table({"id": [2]}), Commit("", "digest", 2))
    for path in table.path.glob("*.parquet"):
        path.write_bytes(b"")
    with pytest.raises(Transient) as caught:
        Compaction([table]).wait()
    assert caught.value.code == "compaction_failed"


def test_rows_that_are_added_meanwhile_stay(tmp_path):
    table = Table(tmp_path / "calls")
    for number in range(5):
        table.extend(pa.table({"id": [number]}), Commit("", "digest", number + 1))
    compaction, number = Compaction([table]), 5
    while not compaction.is_over():
        table.extend(pa.table({"id": [number]}), Commit("", "digest", number + 1))
        number += 1
    assert number > 6
    assert sorted(table.read().column("id").to_pylist()) == list(range(number))
    state = table.state()
    assert state is not None
    assert state.commit.rows == number


def test_one_that_is_ended_leaves_the_table_as_it_was(tmp_path):
    table = Table(tmp_path / "calls")
    for number in range(3):
        table.extend(pa.table({"id": [number]}), Commit("", "digest", number + 1))
    Compaction([table]).end()
    assert sorted(table.read().column("id").to_pylist()) == [0, 1, 2]
