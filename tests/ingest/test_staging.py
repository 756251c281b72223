import duckdb
import pyarrow as pa
import pytest

from drivetrain.ingest.reading import Batch
from drivetrain.ingest.staging import Staging


def batch(number, rows=20_000):
    values = pa.array([f"{number}-{row}-{'x' * 80}" for row in range(rows)])
    return Batch("a.csv", pa.table({"one": values, "two": values}), pa.array(range(rows), pa.int64()))


def test_more_rows_than_memory_spill_and_leave_nothing(tmp_path):
    with Staging(tmp_path / "work", memory="40MB") as staging:
        for number in range(25):  # about 90 MB of text
            staging.add(batch(number))
        assert list((tmp_path / "work").iterdir())
        found = staging.sql.execute("SELECT count(one), sum(drivetrain_row) FROM staged").fetchone()
    assert found == (500_000, 25 * sum(range(20_000)))
    assert not (tmp_path / "work").exists()


def test_what_a_killed_load_left_is_cleared(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "left").write_text("over")
    with Staging(tmp_path / "work"):
        assert not (tmp_path / "work" / "left").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY staged TO '/tmp/out.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
    ],
)
def test_its_sql_reaches_neither_files_nor_network(tmp_path, sql):
    with Staging(tmp_path / "work") as staging, pytest.raises(duckdb.Error):
        staging.sql.execute(sql).fetchall()
