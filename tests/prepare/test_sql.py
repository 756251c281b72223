"""Feature SQL is examined before it runs."""

from __future__ import annotations

import pytest

from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.prepare.sql import SqlFile, examine, read_sql

SOURCES = ("orders", "my-source")


def look(connection, text):
    return examine(connection, SqlFile("f.sql", text.encode()), SOURCES)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("SELECT * FROM orders", {"orders"}),
        ("FROM ORDERS", {"orders"}),
        ('SELECT * FROM "my-source" JOIN orders USING (id) -- both', {"orders", "my-source"}),
        ("WITH orders AS (SELECT * FROM orders) SELECT * FROM orders;", {"orders"}),
        ("WITH a AS (SELECT 1 AS x), b AS (FROM a) SELECT * FROM b, range(3)", set()),
        ("SELECT (SELECT max(x) FROM orders) AS m", {"orders"}),
        ("SELECT CASE WHEN x < 0 THEN error('negative') END FROM orders", {"orders"}),
        ("SELECT now FROM orders", {"orders"}),
        ("\ufeffSELECT 1", set()),
    ],
)
def test_reads(connection, text, read):
    assert look(connection, text) == read


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("SELECT\n random() AS r", "random", 2),
        ("-- é\nSELECT 1,\n\n  NOW() AS n", "now", 4),
        ("SELECT current_date", "current_date", 1),
        ("SELECT CURRENT_TIMESTAMP\n", "current_timestamp", 1),
        ("SELECT id,\n uuid() FROM orders", "uuid", 2),
        ("SELECT gen_random_uuid()", "gen_random_uuid", 1),
        ("SELECT today() - d FROM orders", "today", 1),
        ("WITH a AS (\nSELECT [x + random() FOR x IN [1]] AS l) FROM a", "random", 2),
        ("SELECT * FROM orders ORDER BY\nrandom()", "random", 2),
        ("SELECT current_setting('threads')", "current_setting", 1),
        ("SELECT * FROM\norders TABLESAMPLE reservoir(3)", "sample", 2),
        ("SELECT * FROM orders USING SAMPLE 10%", "sample", None),
    ],
)
def test_what_cannot_be_repeated_is_refused_with_name_and_line(connection, text, name, line):
    with pytest.raises(Refused) as caught:
        look(connection, text)
    assert caught.value.code == "sql_not_repeatable"
    assert name in caught.value.message
    assert caught.value.where == (f"f.sql:{line}" if line else "f.sql")


@pytest.mark.parametrize(
    "call",
    [
        "read_csv('/etc/passwd')",
        "read_text('x')",
        "glob('*')",
        "duckdb_settings()",
        "query('SELECT 1')",
        "duckdb_tables()",
    ],
)
def test_table_functions_that_read_elsewhere_are_refused(connection, call):
    with pytest.raises(Refused) as caught:
        look(connection, f"SELECT *\nFROM {call}")
    assert caught.value.code == "sql_reads_elsewhere"
    assert caught.value.where == "f.sql:2"
    assert call.partition("(")[0] in caught.value.message


@pytest.mark.parametrize("table", ["'/etc/passwd'", "information_schema.tables", "pg_class", "main.orders", "other"])
def test_tables_that_are_no_source_are_not_found(connection, table):
    with pytest.raises(NotFound) as caught:
        look(connection, f"SELECT 1,\n2 FROM {table}")
    assert caught.value.code == "source_unknown"
    assert caught.value.where == "f.sql:2"
    assert "sources: my-source, orders" in caught.value.hint


def test_an_unknown_source_gets_a_guess(connection):
    with pytest.raises(NotFound, match="'ordres'") as caught:
        look(connection, "SELECT * FROM ordres")
    assert "did you mean 'orders'?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT 1; SELECT 2", "SELECT, SELECT"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("COPY (SELECT 1) TO 'x'", "COPY"),
        ("SET threads = 4", "SET"),
    ],
)
def test_anything_but_one_select_is_refused(connection, text, said):
    with pytest.raises(InvalidInput) as caught:
        look(connection, text)
    assert caught.value.code == "sql_not_a_select"
    assert said in caught.value.message


def test_a_syntax_error_has_file_line_and_message(connection):
    with pytest.raises(InvalidInput, match='syntax error at or near "orders"') as caught:
        look(connection, "SELECT 1\nFORM orders")
    assert caught.value.where == "f.sql:2"


@pytest.mark.parametrize("depth", [900, 3000])
def test_very_deep_sql_is_an_error_not_a_crash(connection, depth):
    with pytest.raises((InvalidInput, Refused)):
        look(connection, f"SELECT {'NOT ' * depth} random() > 0.5")


def test_the_file_is_read_with_its_digest(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "a.sql").write_bytes(b"SELECT 1\r\n")
    file = read_sql(tmp_path, "./features/a.sql")
    assert (file.digest.path, file.digest.size) == ("features/a.sql", 10)
    assert len(file.digest.sha256) == 64


def test_a_missing_file_gets_a_guess(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "spine.sql").write_text("SELECT 1")
    with pytest.raises(NotFound, match="no such SQL file") as caught:
        read_sql(tmp_path, "features/spline.sql")
    assert "features/spine.sql" in caught.value.hint


def test_a_file_outside_the_project_is_refused(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "a.sql").write_text("SELECT 1")
    (home / "link.sql").symlink_to(tmp_path / "a.sql")
    for path in ("../a.sql", str(tmp_path / "a.sql"), "link.sql"):
        with pytest.raises(InvalidInput, match="outside the project"):
            read_sql(home, path)


def test_a_file_that_is_no_text_is_refused():
    with pytest.raises(InvalidInput, match="not UTF-8") as caught:
        _ = SqlFile("a.sql", b"SELECT 1,\n'\xff\xfe'").text
    assert caught.value.where == "a.sql:2"
