import duckdb
import pyarrow as pa
import pytest

from drivetrain.core.contract import Contract
from drivetrain.core.schema import Schema
from drivetrain.ingest.columns import Columns
from drivetrain.ingest.origin import Origin
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.staging import Staging


def staged(work, **contract):
    chosen = Contract.model_validate(contract)
    return Staging(work, chosen, Columns(chosen, Schema(())), "source words")


def batch(number, rows=20_000):
    values = pa.array([f"{number}-{row}-{'x' * 80}" for row in range(rows)])
    return Batch("a.csv", pa.table({"one": values, "two": values}), pa.array(range(rows), pa.int64()))


def test_rows_go_to_files_of_moderate_size_and_leave_nothing(tmp_path):
    before = pa.total_allocated_bytes()
    with staged(tmp_path / "work", key=["one"]) as staging:
        for number in range(25):  # about 90 MB of text
            staging.add(batch(number))
            assert pa.total_allocated_bytes() - before < 80 << 20
        staging.settle()
        staging.part_repeats(None)
        rows = staging.good_rows().to_table()
        assert (rows.num_rows, len(set(rows.column("one").to_pylist()))) == (500_000, 500_000)
        assert all(part.path.stat().st_size < 160 << 20 for part in staging.files(Origin.SOURCE))
    assert not (tmp_path / "work").exists()


def test_what_a_killed_load_left_is_cleared(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "left").write_text("over")
    with staged(tmp_path / "work"):
        assert not (tmp_path / "work" / "left").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY bad TO '/tmp/out.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
    ],
)
def test_its_sql_reaches_neither_files_nor_network(tmp_path, sql):
    with staged(tmp_path / "work") as staging, pytest.raises(duckdb.Error):
        staging.sql.execute(sql).fetchall()
