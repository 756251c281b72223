"""How far a table was read: late rows are found, none is read twice, and a cursor that cannot be trusted is refused."""

import sqlite3
from datetime import datetime, timedelta

import pytest
from tests.ingest.databases.conftest import read

from drivetrain.core.errors import NotFound, Refused

EVENTS = "CREATE TABLE events (id integer PRIMARY KEY, at timestamp NOT NULL)"
NOON = datetime(2024, 1, 1, 12)


def moment(id_, seconds):
    return f"INSERT INTO events VALUES ({id_}, '{NOON + timedelta(seconds=seconds)}')"


def test_a_row_with_the_last_value_that_comes_late_is_read_once(base, open_sql):
    """Two rows of one moment, committed one after the other."""
    base.run(EVENTS, moment(1, 0), moment(2, 60))
    source = open_sql(base.url, table="events", cursor="at")
    first = read(source)
    base.run(moment(3, 60), moment(4, 61))
    second = read(source, first.cursor)
    assert [row[0] for row in second.rows] == [3, 4]
    assert read(source, second.cursor).batches == []


@pytest.mark.parametrize("kind", ["pg", "maria"])
def test_look_back_finds_late_rows_and_only_them(kind, request, open_sql):
    base = request.getfixturevalue(kind)
    base.run(EVENTS, moment(1, 0), moment(2, 300))
    options = {"cursor": "at", "mode": "incremental", "key": ("id",), "look_back": 120}
    source = open_sql(base.url, table="events", **options)
    cursor = read(source).cursor
    base.run(moment(3, 100), moment(4, 200), moment(5, 299))  # the first comes later than that
    second = read(source, cursor)
    assert [row[0] for row in second.rows] == [4, 5]
    assert read(source, second.cursor).batches == []


def test_look_back_of_numbers_counts_their_unit(base, open_sql):
    base.run("CREATE TABLE steps (id integer PRIMARY KEY, word varchar(9))", "INSERT INTO steps VALUES (10, 'a')")
    source = open_sql(base.url, table="steps", cursor="id", mode="incremental", key=("id",), look_back=3)
    cursor = read(source).cursor
    base.run("INSERT INTO steps VALUES (6, 'late'), (7, 'in time')", "UPDATE steps SET word = 'b' WHERE id = 10")
    assert read(source, cursor).rows == [(7, "in time"), (10, "b")]


def test_a_change_within_the_look_back_is_seen(pg, open_sql):
    pg.run("CREATE TABLE people (id integer PRIMARY KEY, age integer, at date)")
    pg.run("INSERT INTO people VALUES (1, 30, '2024-01-01'), (2, 40, '2024-01-03')")
    source = open_sql(pg.url, table="people", cursor="at", mode="incremental", key=("id",), look_back=2 * 86_400)
    cursor = read(source).cursor
    pg.run("UPDATE people SET age = 31 WHERE id = 1")
    assert [row[:2] for row in read(source, cursor).rows] == [(1, 31)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("numeric(20,4)", ["1.0001", "1.0002", "99999999999.5"]),
        ("double precision", ["0.1", "0.30000000000000004", "1e300"]),
        ("date", ["'2024-01-01'", "'2024-01-02'", "'2024-01-03'"]),
        ("timestamp(6)", ["'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'", "'2024-01-02'"]),
        ("varchar(20)", ["'a'", "'B''; --'", "'c%:x'"]),
    ],
)
def test_cursors_of_all_kinds(base, open_sql, kind, values):
    if base.url.startswith("postgres") and kind.startswith("varchar"):
        kind += ' COLLATE "und-x-icu"'  # an order without case, as the others have
    base.run(f"CREATE TABLE steps (id integer, at {kind} NOT NULL)")
    source, cursor, seen = open_sql(base.url, table="steps", cursor="at"), "", []
    order = sorted(values) if base.url.startswith("sqlite") else values
    for number, value in enumerate(order):
        base.run(f"INSERT INTO steps VALUES ({number}, {value})")
        found = read(source, cursor)
        seen += [row[0] for row in found.rows]
        cursor = found.cursor
        assert read(source, cursor).batches == []
    assert seen == [0, 1, 2]


def test_more_rows_at_one_value_than_are_remembered(lite, open_sql, tmp_path):
    """They are counted: as long as none comes to them the load goes on after them."""
    lite.run("CREATE TABLE steps (id integer, at integer)")
    connection = sqlite3.connect(tmp_path / "some.db")
    with connection:
        connection.executemany("INSERT INTO steps VALUES (?, 1)", [(number,) for number in range(20_001)])
    connection.close()
    source = open_sql(lite.url, table="steps", cursor="at")
    first = read(source)
    lite.run("INSERT INTO steps VALUES (-1, 2)")
    second = read(source, first.cursor)
    assert (len(first.rows), second.rows) == (20_001, [(-1, 2)])
    lite.run("INSERT INTO steps VALUES (-2, 1)")
    with pytest.raises(Refused, match="sql_cursor_coarse"):
        read(source, first.cursor)


def test_a_cursor_that_cannot_be_trusted_is_refused(pg, open_sql):
    pg.run("CREATE TABLE steps (id integer, at integer, flag boolean)", "INSERT INTO steps VALUES (1, 5, true)")
    cursor = read(open_sql(pg.url, table="steps", cursor="at")).cursor
    with pytest.raises(Refused, match="sql_cursor_changed"):
        read(open_sql(pg.url, table="steps", cursor="id"), cursor)
    with pytest.raises(Refused, match="sql_cursor_changed"):
        read(open_sql(pg.url, table="steps", key=("id",)), cursor)
    pg.run("UPDATE steps SET at = 4")
    with pytest.raises(Refused, match="sql_cursor_back"):
        read(open_sql(pg.url, table="steps", cursor="at"), cursor)
    pg.run("INSERT INTO steps VALUES (2, NULL, true)")
    with pytest.raises(Refused, match="sql_cursor_null"):
        read(open_sql(pg.url, table="steps", cursor="at"), cursor)
    with pytest.raises(Refused, match="sql_cursor_unusable"):
        read(open_sql(pg.url, table="steps", cursor="flag"))
    pg.run("DELETE FROM steps WHERE at IS NULL", "ALTER TABLE steps ALTER at TYPE text")
    with pytest.raises(Refused, match="sql_cursor_changed"):
        read(open_sql(pg.url, table="steps", cursor="at"), cursor)


def test_there_is_no_looking_back_in_text(pg, open_sql):
    pg.run("CREATE TABLE steps (id text)", "INSERT INTO steps VALUES ('a')")
    with pytest.raises(Refused, match="sql_cursor_unusable"):
        read(open_sql(pg.url, table="steps", cursor="id", mode="incremental", key=("id",), look_back=1))


def test_an_empty_table_gives_nothing_until_rows_come(base, open_sql):
    base.run(EVENTS)
    source = open_sql(base.url, table="events", cursor="at")
    assert read(source).batches == []
    base.run(moment(1, 0))
    assert [row[0] for row in read(source).rows] == [1]


def test_a_table_that_was_emptied_is_not_taken_for_a_new_one(pg, open_sql):
    pg.run(EVENTS, moment(1, 0))
    source = open_sql(pg.url, table="events", cursor="at")
    cursor = read(source).cursor
    pg.run("TRUNCATE events")
    assert read(source, cursor).batches == []
    pg.run("DROP TABLE events")
    with pytest.raises(NotFound, match="sql_table_unknown"):
        read(source, cursor)
