"""The contract of a Reader, kept by tables of PostgreSQL, MariaDB and SQLite; and what each mode says of the rows."""

import sqlite3

import pytest
from tests.ingest.databases.conftest import read, sql_source

from drivetrain.core.errors import InvalidInput
from drivetrain.testing.readers import ReaderContract

WORDS = "CREATE TABLE words (id integer PRIMARY KEY, word varchar(20))"


def inserted(rows):
    return "INSERT INTO words VALUES " + ", ".join(f"({number}, '{word}')" for number, word in rows)


class TestPostgres(ReaderContract):
    @pytest.fixture(autouse=True)
    def _base(self, pg):
        self.base = pg

    def make(self, home, rows):
        self.base.run(WORDS)
        return self.add(home, rows)

    def add(self, home, rows):
        self.base.run(inserted(rows))
        return sql_source(self.base.url, table="words", cursor="id")

    def remove(self, home):
        self.base.run("DROP TABLE words")


class TestIncremental(TestPostgres):
    def add(self, home, rows):
        super().add(home, rows)
        options = {"cursor": "id", "mode": "incremental", "look_back": 10, "key": ("id",)}
        return sql_source(self.base.url, table="words", **options)


class TestMariadb(TestPostgres):
    @pytest.fixture(autouse=True)
    def _base(self, maria):
        self.base = maria


class TestSqlite(TestPostgres):
    @pytest.fixture(autouse=True)
    def _base(self, lite):
        self.base = lite

    def remove(self, home):
        (home / "some.db").unlink()


class TestQuery(TestPostgres):
    def add(self, home, rows):
        super().add(home, rows)
        return sql_source(self.base.url, query="SELECT id, word FROM words WHERE word <> '100%'; ", cursor="id")


def test_a_load_by_cursor_adds_rows_and_knows_their_number(base, open_sql):
    base.run(WORDS, inserted([(1, "one"), (2, "two")]))
    source = open_sql(base.url, table="words", cursor="id")
    first = read(source)
    base.run(inserted([(5, "five")]))
    second = read(source, first.cursor)
    assert (first.changes, second.changes) == ([("add", 1), ("add", 2)], [("add", 5)])
    assert [batch.numbers.to_pylist() for batch in second.batches] == [[3]]
    assert second.batches[0].portion == "words"


def test_an_incremental_load_puts_rows_by_their_key(base, open_sql):
    base.run("CREATE TABLE people (id integer PRIMARY KEY, age integer, changed integer NOT NULL)")
    base.run("INSERT INTO people VALUES (1, 30, 100), (2, 40, 101)")
    source = open_sql(base.url, table="people", cursor="changed", mode="incremental", key=("id",))
    first = read(source)
    base.run("UPDATE people SET age = 31, changed = 102 WHERE id = 1")
    second = read(source, first.cursor)
    assert first.changes == [("put", 1), ("put", 2)]
    assert (second.changes, second.rows) == ([("put", 1)], [(1, 31, 102)])
    assert read(source, second.cursor).batches == []


@pytest.mark.parametrize("mark", ["gone_at", "gone_at IS NOT NULL"])
def test_rows_that_are_marked_as_deleted_go(base, open_sql, mark):
    """By a column that is missing until then, or by a condition; and a key that comes back is put again."""
    base.run("CREATE TABLE people (id integer PRIMARY KEY, changed integer NOT NULL, gone_at timestamp NULL)")
    base.run("INSERT INTO people VALUES (1, 1, NULL), (2, 2, NULL), (3, 3, '2024-01-01 00:00:00')")
    options = {"mode": "incremental", "cursor": "changed", "key": ("id",), "deleted": mark}
    source = open_sql(base.url, table="people", **options)
    first = read(source)
    base.run("UPDATE people SET changed = 4, gone_at = '2024-01-02 00:00:00' WHERE id = 1")
    base.run("UPDATE people SET changed = 5, gone_at = NULL WHERE id = 3")
    second = read(source, first.cursor)
    assert first.changes == [("put", 1), ("put", 2), ("drop", 3)]
    assert sorted(second.changes) == [("drop", 1), ("put", 3)]


def test_a_false_mark_deletes_nothing(pg, open_sql):
    pg.run("CREATE TABLE people (id integer PRIMARY KEY, deleted boolean)")
    pg.run("INSERT INTO people VALUES (1, false), (2, true), (3, NULL)")
    source = open_sql(pg.url, table="people", cursor="id", mode="incremental", key=("id",), deleted="deleted")
    assert read(source).changes == [("put", 1), ("put", 3), ("drop", 2)]


def test_a_whole_reading_tells_whether_anything_changed(base, open_sql):
    base.run(WORDS, inserted([(1, "one"), (2, "two")]))
    source = open_sql(base.url, table="words", key=("id",))
    first = read(source)
    assert first.changes == [("whole", 1), ("whole", 2)]
    assert read(source, first.cursor).positions == []
    base.run("UPDATE words SET word = 'zwei' WHERE id = 2")
    second = read(source, first.cursor)
    assert second.rows == [(1, "one"), (2, "zwei")]
    base.run("DELETE FROM words WHERE id = 1")
    third = read(source, second.cursor)
    assert third.rows == [(2, "zwei")]
    assert len({position.content for found in (first, second, third) for position in found.positions}) == 3


def test_a_table_that_became_empty_is_not_taken_for_the_whole(base, open_sql):
    """It may be about to be filled anew."""
    base.run(WORDS, inserted([(1, "one")]))
    source = open_sql(base.url, table="words", key=("id",))
    cursor = read(source).cursor
    base.run("DELETE FROM words")
    with pytest.raises(InvalidInput, match="there were 1"):
        read(source, cursor)
    assert read(source).positions == []


def test_the_order_of_rows_is_no_change(pg, open_sql):
    """PostgreSQL moves a row to the end when it is written again."""
    pg.run(WORDS, inserted([(1, "one"), (2, "two")]))
    source = open_sql(pg.url, table="words", key=("id",))
    first = read(source)
    pg.run("UPDATE words SET word = 'one' WHERE id = 1")
    again = read(source, first.cursor)
    assert [row[0] for row in again.rows] == [2, 1]
    assert again.positions == []


def test_marked_rows_are_not_part_of_the_whole(base, open_sql):
    base.run("CREATE TABLE people (id integer PRIMARY KEY, gone integer)", "INSERT INTO people VALUES (1, 0), (2, 1)")
    assert read(open_sql(base.url, table="people", key=("id",), deleted="gone = 1")).changes == [("whole", 1)]


def test_only_the_columns_named_are_read(base, open_sql):
    base.run(WORDS, inserted([(1, "one")]))
    assert read(open_sql(base.url, table="words", columns=["word"], cursor="id")).rows == [("one",)]


def test_nothing_is_written_at_the_source(base, open_sql):
    base.run(WORDS, inserted([(1, "one")]))
    reader = open_sql(base.url, table="words", key=("id",))
    look = reader._reader()._database.look
    for attempt in ("DELETE FROM words", "CREATE TABLE other (id integer)"):
        with pytest.raises(Exception, match=r"sql_write_refused"), look() as found:
            found.connection.exec_driver_sql(attempt)
    assert read(reader).rows == [(1, "one")]


def test_sqlite_is_read_while_another_writes(lite, open_sql, tmp_path):
    lite.run(WORDS, inserted([(1, "one")]))
    writer = sqlite3.connect(tmp_path / "some.db")
    writer.execute("INSERT INTO words VALUES (2, 'two')")  # not committed
    assert read(open_sql(lite.url, table="words", cursor="id")).rows == [(1, "one")]
    writer.close()
