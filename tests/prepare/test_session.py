"""The DuckDB that runs feature SQL: shut off, in UTC, on one thread, with stored types."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.sql import SqlFile

hidden = pa.table({"secret": [1]})


@pytest.fixture
def session(tmp_path):
    rows = ds.dataset(pa.table({"id": [1, 2], "x": [0.5, None]}))
    with Session({"orders": rows, "my-source": rows}, tmp_path / "spill") as made:
        yield made


def make(session, text):
    return session.make(SqlFile("f.sql", text.encode()), "_made")


def test_sources_are_read_by_name_and_remembered(session):
    make(session, 'SELECT o.id, m.x FROM orders o JOIN "my-source" m USING (id)')
    assert session.read == {"orders", "my-source"}
    assert session.table("SELECT * FROM _made ORDER BY id").to_pydict() == {"id": [1, 2], "x": [0.5, None]}


@pytest.mark.parametrize("name", ["hidden", "rows"])
def test_python_variables_are_out_of_reach(session, name):
    rows = hidden
    assert rows is not None
    with pytest.raises(duckdb.CatalogException):
        session.run(f"SELECT * FROM {name}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 8",
    ],
)
def test_nothing_outside_is_in_reach(session, statement, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
        session.run(statement)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("true", "boolean", True),
        ("1::TINYINT", "integer", 1),
        ("1::UINTEGER", "integer", 1),
        ("sum(1)", "number", 1.0),
        ("1::UBIGINT", "number", 1.0),
        ("12.50", "number", 12.5),
        ("0.5::FLOAT", "number", 0.5),
        ("'a'", "text", "a"),
        ("'a'::ENUM ('a', 'b')", "text", "a"),
        ("'6f0cbd5e-0000-4000-8000-000000000000'::UUID", "text", "6f0cbd5e-0000-4000-8000-000000000000"),
        ("DATE '2024-02-29'", "date", "2024-02-29"),
        ("TIMESTAMP '2024-01-01 12:00'", "timestamp", "2024-01-01 12:00:00+00:00"),
        ("TIMESTAMP_NS '2024-01-01 12:00'", "timestamp", "2024-01-01 12:00:00+00:00"),
        ("TIMESTAMPTZ '2024-01-01 12:00:00+02'", "timestamp", "2024-01-01 10:00:00+00:00"),
        ("NULL", "integer", None),
    ],
)
def test_types_become_the_stored_ones(session, sql, kind, value):
    schema = make(session, f"SELECT {sql} AS v")
    assert schema.column("v").type is ColumnType(kind)
    (found,) = session.table("SELECT * FROM _made").column("v").to_pylist()
    assert found == value if kind in ("boolean", "integer", "number", "text") else str(found) == value


@pytest.mark.parametrize("sql", ["[1]", "{'a': 1}", "INTERVAL 1 DAY", "'x'::BLOB", "TIME '10:00'", "MAP {1: 2}"])
def test_other_types_are_named(session, sql):
    with pytest.raises(InvalidInput, match="'odd'") as caught:
        make(session, f"SELECT 1 AS id, {sql} AS odd")
    assert caught.value.code == "type_unusable"


@pytest.mark.parametrize(
    "text", ["SELECT 1 AS a, 2 AS A", "SELECT * FROM orders o JOIN orders p USING (id)", "SELECT 1 a, 2 a"]
)
def test_names_given_twice_are_refused(session, text):
    with pytest.raises(InvalidInput) as caught:
        make(session, text)
    assert caught.value.code == "column_twice"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("SELECT id,\n  amount\nFROM orders", 2, 'Referenced column "amount" not found'),
        ("SELECT id,\n\n ('x' || id)::DATE AS d FROM orders", 3, "invalid date"),
        ("SELECT id, fooo(x) AS y FROM orders", 1, "fooo"),
        ("SELECT id,\n sum(x) AS s\nFROM orders", 1, "GROUP BY"),
        ("SELECT error('bad row')", None, "bad row"),
    ],
)
def test_errors_have_file_line_and_message(session, text, line, said):
    with pytest.raises(InvalidInput) as caught:
        make(session, text)
    assert caught.value.code == "sql_failed"
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.where == (f"f.sql:{line}" if line else "f.sql")


def test_division_by_zero_is_null_as_in_spark(session):
    make(session, "SELECT 1.0::DOUBLE / 0 AS v, 1 % 0 AS w")
    assert session.table("SELECT * FROM _made").to_pydict() == {"v": [None], "w": [None]}


def test_quoted():
    assert quoted('a"b') == '"a""b"'


def test_spilled_files_go_with_the_session(tmp_path):
    spill = tmp_path / "spill"
    with Session({}, spill):
        spill.mkdir()
        (spill / "x").write_text("x")
    assert not spill.exists()
