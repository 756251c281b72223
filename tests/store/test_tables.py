import shutil

import pyarrow as pa
import pyarrow.fs as pa_fs
import pytest
from deltalake import DeltaTable

from drivetrain.core.errors import NotFound
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.tables import Commit, Table, arrow_schema, arrow_type, column_type, schema_of

ROWS = pa.table({"id": [1, 2]})


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path / "lake" / "loans")


def test_absent_table_has_no_state(table):
    assert not table.exists()
    assert table.state() is None
    with pytest.raises(NotFound, match="there is no table"):
        table.read()


def test_commit_travels_with_its_rows(table):
    assert table.append(ROWS, Commit('{"file":1}', "d1", 2)) == 0
    assert table.append(ROWS, Commit('{"file":2}', "d2", 4)) == 1
    state = table.state()
    assert state is not None
    assert (state.version, state.commit) == (1, Commit('{"file":2}', "d2", 4))
    assert table.read().num_rows == 4
    assert table.read(0).num_rows == 2


def test_commit_is_found_behind_somebody_elses(table):
    table.append(ROWS, Commit("{}", "d1", 2))
    DeltaTable(str(table.path)).optimize.compact()
    table.append(ROWS, Commit("{}", "d2", 4))
    DeltaTable(str(table.path)).optimize.compact()
    state = table.state()
    assert state is not None
    assert state.version == 2
    assert state.commit.digest == "d2"


def test_a_table_that_is_kept_sees_what_others_wrote_and_that_it_was_made_anew(table):
    other = Table(table.path)
    table.append(ROWS, Commit("{}", "d1", 2))
    assert other.schema() == ROWS.schema
    table.append(ROWS, Commit("{}", "d2", 4))
    assert other.append(ROWS, Commit("{}", "d3", 6)) == 2
    assert (table.version(), table.read().num_rows) == (2, 6)
    shutil.rmtree(table.path)
    with pytest.raises(NotFound):
        table.version()
    other.append(ROWS, Commit("{}", "d4", 2))
    assert (table.version(), table.read().num_rows) == (0, 2)


def test_overwrite_keeps_old_versions(table):
    table.append(ROWS, Commit("{}", "d1", 2))
    table.overwrite(pa.table({"name": ["x"]}), Commit("{}", "d2", 1))
    assert table.read().column_names == ["name"]
    assert table.read(0).column_names == ["id"]
    with pytest.raises(NotFound, match="there is no version 9"):
        table.read(9)


def test_history_is_kept_for_auditors(table):
    table.append(ROWS, Commit("{}", "d1", 2))
    settings = DeltaTable(str(table.path)).metadata().configuration
    assert settings["delta.logRetentionDuration"] == "interval 3650 days"


@pytest.mark.parametrize("kind", list(ColumnType))
def test_column_types_come_back_from_arrow(kind):
    assert column_type(arrow_type(kind)) is kind
    schema = Schema((Column("a", kind, nullable=False),))
    assert schema_of(arrow_schema(schema)) == schema


def test_no_thread_that_reads_is_in_python_when_the_process_ends(table):
    """One that is aborts the process after its work is done; it happens once in some ten ends on a busy machine."""
    table.append(ROWS, Commit("{}", "d1", 2))
    files = table.dataset().filesystem
    assert isinstance(files, pa_fs.SubTreeFileSystem)
    assert isinstance(files.base_fs, pa_fs.LocalFileSystem)


def test_put_replaces_rows_by_key_in_one_commit(table):
    rows = pa.table({"id": [1, 2, 3], "word": ["one", "two", "three"]})
    table.append(rows, Commit("{}", "d1", 3))
    better = pa.table({"id": [2, 4], "word": ["TWO", "four"]})
    assert table.put(better, "id", Commit('{"put":1}', "d2", 4)) == 1
    assert table.read().sort_by("id").column("word").to_pylist() == ["one", "TWO", "three", "four"]
    assert table.state().commit == Commit('{"put":1}', "d2", 4)
    assert table.read(0).num_rows == 3


def test_a_table_keeps_its_identity_until_it_is_made_anew(table):
    table.append(ROWS, Commit("{}", "d1", 2))
    first = table.identity()
    table.overwrite(pa.table({"id": ["a"]}), Commit("{}", "d2", 1))
    table.compact()
    assert table.identity() == Table(table.path).identity() == first
    shutil.rmtree(table.path)
    table.append(ROWS, Commit("{}", "d3", 2))
    assert table.identity() != first
