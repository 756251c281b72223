"""What becomes of the types of each database: values, and what is declared of them."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from tests.ingest.databases.conftest import read

POSTGRES = [
    ("smallint", "-7", "integer", -7),
    ("bigint", "9223372036854775807", "integer", 2**63 - 1),
    ("numeric(10)", "42", "integer", 42),
    ("numeric(30)", "123456789012345678901234567890", "number", "123456789012345678901234567890"),
    ("numeric(12,2)", "12.50", "number", "12.50"),
    ("numeric", "'NaN'", "number", None),
    ("real", "1.5", "number", 1.5),
    ("double precision", "0.1", "number", 0.1),
    ("double precision", "'NaN'", "number", None),
    ("boolean", "true", "boolean", True),
    ("varchar(9)", "'größe'", "text", "größe"),
    ("char(3)", "'a'", "text", "a"),
    ("date", "'2024-02-29'", "date", date(2024, 2, 29)),
    ("date", "'infinity'", "date", None),
    ("date", "'0044-03-15 BC'", "date", None),
    ("timestamp", "'2024-07-01 12:00:00.000001'", "timestamp", datetime(2024, 7, 1, 10, 0, 0, 1, UTC)),
    ("timestamptz", "'2024-07-01 12:00:00+05:30'", "timestamp", datetime(2024, 7, 1, 6, 30, tzinfo=UTC)),
    ("timestamptz", "'-infinity'", "timestamp", None),
    ("time", "'23:59:01'", "text", "23:59:01"),
    ("interval", "'1 day 02:00'", "text", "1 day 02:00:00"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("bytea", r"'\x00ff'", "text", "00ff"),
    ("jsonb", """'{"a": [1]}'""", "text", '{"a": [1]}'),
    ("integer[]", "'{1,NULL}'", "text", "[1,null]"),
    ("inet", "'10.0.0.1'", "text", "10.0.0.1/32"),
]
MARIADB = [
    ("tinyint(1)", "1", "boolean", True),
    ("tinyint", "-7", "integer", -7),
    ("bigint unsigned", "18446744073709551615", "integer", "18446744073709551615"),
    ("decimal(12,2)", "12.50", "number", "12.50"),
    ("decimal(10,0)", "42", "integer", 42),
    ("double", "0.1", "number", 0.1),
    ("varchar(9) character set utf8mb4", "'größe 🦊'", "text", "größe 🦊"),
    ("date", "'2024-02-29'", "date", date(2024, 2, 29)),
    ("date", "'0000-00-00'", "date", None),
    ("datetime(6)", "'2024-07-01 12:00:00.000001'", "timestamp", datetime(2024, 7, 1, 10, 0, 0, 1, UTC)),
    ("time", "'-25:00:01'", "text", "-25:00:01"),
    ("year", "2024", "integer", 2024),
    ("blob", "x'00ff'", "text", "00ff"),
    ("json", """'{"a": 1}'""", "text", '{"a": 1}'),
    ("enum('a','b')", "'b'", "text", "b"),
]
SQLITE = [
    ("INTEGER", "9223372036854775807", "integer", 2**63 - 1),
    ("INTEGER", "'many'", "integer", "many"),
    ("REAL", "0.1", "number", 0.1),
    ("REAL", "'much'", "number", "much"),
    ("DECIMAL(20)", "9007199254740993", "number", "9007199254740993"),
    ("BOOLEAN", "1", "boolean", "1"),
    ("VARCHAR(9)", "'größe'", "text", "größe"),
    ("TIMESTAMP", "'2024-07-01 12:00:00'", "timestamp", "2024-07-01 12:00:00"),
    ("BLOB", "x'00ff'", "text", "00ff"),
]


def check(base, open_sql, cases):
    """One table with a column a case, a row of values and a row of NULLs."""
    columns = ", ".join(f"c{place} {kind} NULL" for place, (kind, *_) in enumerate(cases))
    base.run(
        f"CREATE TABLE types (id integer PRIMARY KEY, {columns})",
        f"INSERT INTO types VALUES (1, {', '.join(value for _, value, *_ in cases)})",
        f"INSERT INTO types VALUES (2, {', '.join('NULL' for _ in cases)})",
    )
    (batch,) = read(open_sql(base.url, table="types", cursor="id", time_zone="Europe/Madrid")).batches
    there, missing = zip(*(column.to_pylist() for column in batch.rows.columns[1:]), strict=True)
    expected = [(kind, declared, value) for kind, _, declared, value in cases]
    types = [column.type.value for column in batch.declared.columns][1:]
    assert list(zip([kind for kind, *_ in cases], types, there, strict=True)) == expected
    assert set(missing) == {None}
    assert {str(column.type) for column in batch.rows.columns} <= {
        *("int64", "double", "bool", "string", "date32[day]", "timestamp[us, tz=UTC]")
    }


def test_types_of_postgresql(pg, open_sql):
    check(pg, open_sql, POSTGRES)


def test_types_of_mariadb(maria, open_sql):
    check(maria, open_sql, MARIADB)


def test_types_of_sqlite(lite, open_sql):
    check(lite, open_sql, SQLITE)


def test_a_query_of_sqlite_tells_its_types_by_its_values(lite, open_sql):
    lite.run("CREATE TABLE people (id integer, age)", "INSERT INTO people VALUES (1, 30.5), (2, NULL)")
    (batch,) = read(open_sql(lite.url, query="SELECT id, age, 'x' AS word FROM people", cursor="id")).batches
    assert [str(kind) for kind in batch.rows.schema.types] == ["int64", "double", "string"]
    assert batch.declared is None


@pytest.mark.parametrize(
    ("hour", "taken"), [("02:30", datetime(2024, 3, 31, 1, 0)), ("01:30", datetime(2024, 3, 31, 0, 30))]
)
def test_an_hour_that_the_clock_leaves_out_is_the_moment_after(pg, open_sql, hour, taken):
    pg.run("CREATE TABLE moments (id integer, at timestamp)", f"INSERT INTO moments VALUES (1, '2024-03-31 {hour}')")
    (row,) = read(open_sql(pg.url, table="moments", cursor="id", time_zone="Europe/Madrid")).rows
    assert row == (1, taken.replace(tzinfo=UTC))


def test_names_are_quoted(base, open_sql):
    quote = "`" if base.url.startswith("mysql") else '"'
    named = f"{quote}select:1 é{quote}"
    base.run(f"CREATE TABLE odd (id integer, {named} integer)", "INSERT INTO odd VALUES (1, 2)")
    (batch,) = read(open_sql(base.url, table="odd", cursor="select:1 é")).batches
    assert batch.rows.column_names == ["id", "select:1 é"]
    assert batch.rows.column(1).type == pa.int64()
