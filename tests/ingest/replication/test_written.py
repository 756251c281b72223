"""A value in a change becomes what the same value in the table becomes."""

import pytest
from tests.ingest.databases.conftest import read

TYPES = {
    "boolean": ["true", "false", "NULL"],
    "smallint": ["-7", "NULL"],
    "bigint": ["9223372036854775807", "-9223372036854775808"],
    "real": ["0.1", "'NaN'", "'infinity'"],
    "double precision": ["0.1", "1e300", "'NaN'", "'-infinity'", "NULL"],
    "numeric": ["123456789012345678901234567890.123456789", "'NaN'", "-0.00"],
    "numeric(10,2)": ["12.30", "NULL"],
    "numeric(10,0)": ["42"],
    "text": ["''", "'ünï \U0001f600 \\ ''quoted'''", "E'a\\nb'", "NULL"],
    "varchar(9)": ["'nine'"],
    "char(6)": ["'ab'", "NULL"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "json": ["'{\"a\": [1, null]}'"],
    "jsonb": ["'{\"a\": [1, null]}'", "NULL"],
    "bytea": ["'\\x00ff'", "''"],
    "date": ["'2024-02-29'", "'0044-03-15 BC'", "'infinity'", "'12024-01-01'", "NULL"],
    "timestamp": ["'2024-02-29 12:34:56.789'", "'2024-07-01 00:00'", "'-infinity'", "'0044-03-15 BC'"],
    "timestamptz": ["'2024-02-29 12:34:56.000001+05:30'", "'1900-01-01 00:00 Europe/Madrid'", "NULL"],
    "time": ["'12:34:56'"],
    "interval": ["'1 day 2 hours'"],
    "integer[]": ["'{1,NULL,3}'", "'{}'", "NULL"],
    "text[]": ["'{\"a b\",c}'"],
    "inet": ["'10.0.0.1'", "'10.0.0.0/8'"],
    "point": ["'(1,2)'"],
    "xml": ["'<a/>'"],
    "mood": ["'sad'", "NULL"],
    "positive": ["7", "NULL"],
    "short": ["'ab'"],
    "pair": ["ROW(1, 'one')", "NULL"],
    "int4range": ["'[1,5)'"],
    "money": ["12.3"],
    '"od%d type"': ["'x'"],
}


@pytest.fixture
def typed(pg):
    pg.run("CREATE TYPE mood AS ENUM ('sad', 'glad')", "CREATE DOMAIN positive AS integer CHECK (value > 0)")
    pg.run("CREATE DOMAIN short AS char(4)", "CREATE TYPE pair AS (n integer, word text)")
    pg.run("CREATE TYPE \"od%d type\" AS ENUM ('x')")
    columns = ", ".join(f"c{number} {name}" for number, name in enumerate(TYPES))
    pg.run(f"CREATE TABLE words (id integer PRIMARY KEY, {columns})")


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/Madrid"])
def test_changes_have_the_values_and_types_of_the_table(pg, typed, open_cdc, time_zone):
    pg.run("INSERT INTO words VALUES (0)")
    source = open_cdc(time_zone=time_zone)
    before = read(source)
    for number in range(max(map(len, TYPES.values()))):
        values = ", ".join(texts[number % len(texts)] for texts in TYPES.values())
        pg.run(f"INSERT INTO words VALUES ({number + 1}, {values})")
    changes, whole = read(source, before.cursor), read(open_cdc(time_zone=time_zone))
    (told,), (seen,) = changes.batches, whole.batches
    assert told.rows.schema == seen.rows.schema
    assert told.declared == seen.declared
    rows = seen.rows.slice(1)
    for name in rows.column_names:
        assert told.rows.column(name).to_pylist() == rows.column(name).to_pylist(), name


def test_values_that_are_missing_everywhere(pg, typed, open_cdc):
    pg.run("INSERT INTO words VALUES (0)")
    source = open_cdc()
    before = read(source)
    pg.run("INSERT INTO words VALUES (1)")
    (batch,) = read(source, before.cursor).batches
    assert batch.rows.slice(0).to_pylist() == [dict.fromkeys(batch.rows.column_names) | {"id": 1}]
    assert batch.declared == before.batches[0].declared


def test_a_type_that_is_gone_by_now(pg, load):
    """What was written in it is text."""
    pg.run("CREATE TYPE mood AS ENUM ('sad', 'glad')", "CREATE TABLE words (id integer PRIMARY KEY, word mood)")
    pg.run("INSERT INTO words VALUES (1, 'sad')")
    load()
    pg.run("INSERT INTO words VALUES (2, 'glad')", "ALTER TABLE words ALTER word TYPE text", "DROP TYPE mood")
    assert load() == [(1, "sad"), (2, "glad")]
