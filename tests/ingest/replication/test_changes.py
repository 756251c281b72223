"""Large values, other columns, other rows: what changes of a table become."""

import pytest
from tests.ingest.databases.conftest import read
from tests.ingest.databases.test_reader import inserted
from tests.ingest.replication.conftest import WORDS

from drivetrain.core.errors import Refused

PAGES = "CREATE TABLE pages (id integer PRIMARY KEY, text text, views integer)"
TEXT = "x" * 100_000
PLAIN = "ALTER TABLE pages ALTER text SET STORAGE EXTERNAL"  # stored apart, as large values are


@pytest.fixture
def pages(pg):
    pg.run(PAGES, PLAIN, f"INSERT INTO pages VALUES (1, '{TEXT}', 0), (2, 'small', 0), (3, '{TEXT}', 0)")


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_large_values_that_were_not_touched_stay(pg, pages, load, identity):
    pg.run(f"ALTER TABLE pages REPLICA IDENTITY {identity}")
    assert load(table="pages")[0] == (1, TEXT, 0)
    pg.run(
        "UPDATE pages SET views = views + 1", "UPDATE pages SET id = 10 WHERE id = 1", "DELETE FROM pages WHERE id = 3"
    )
    pg.run(f"INSERT INTO pages VALUES (4, '{TEXT}', 0)", "UPDATE pages SET views = 5 WHERE id = 4")
    assert load(table="pages") == [(2, "small", 1), (4, TEXT, 5), (10, TEXT, 1)]


def test_a_row_that_changed_again_before_it_was_fetched(pg, pages, open_cdc, monkeypatch):
    """The whole row is as new as the value that was fetched; the changes since bring the table to the same end."""
    source = open_cdc(table="pages", max_changes=1)
    first = read(source)
    pg.run("UPDATE pages SET views = 1 WHERE id = 1", "UPDATE pages SET text = 'short', views = 2 WHERE id = 1")
    pg.run("UPDATE pages SET views = 1 WHERE id = 3", "DELETE FROM pages WHERE id = 3")
    found, cursor = [], first.cursor
    for _ in range(3):
        step = read(source, cursor)
        source.commit(step.cursor)
        cursor = step.cursor
        found.append((step.changes, step.rows))
    assert found[:2] == [([("put", 1)], [(1, "short", 2)])] * 2
    assert found[2][0] == [("drop", 3)], "there is no row to fetch, so the load goes on to what became of it"


def test_changed_columns_are_agreed_to(pg, load):
    pg.run(WORDS, inserted([(1, "one")]))
    load()
    pg.run("ALTER TABLE words ADD COLUMN note text", "INSERT INTO words VALUES (2, 'two', 'new')")
    with pytest.raises(Refused, match="schema_changed"):
        load()
    assert load(accept_schema=True) == [(1, "one", None), (2, "two", "new")]
    pg.run("ALTER TABLE words DROP COLUMN word", "INSERT INTO words VALUES (3, 'three')")
    with pytest.raises(Refused, match="schema_changed"):
        load()
    assert load(accept_schema=True) == [(1, "one", None), (2, "two", "new"), (3, None, "three")]


def test_columns_may_change_between_two_changes(pg, load):
    pg.run(WORDS, inserted([(1, "one")]))
    load()
    pg.run(inserted([(2, "two")]), "ALTER TABLE words ADD COLUMN note integer", "INSERT INTO words VALUES (3, 'x', 7)")
    assert load(accept_schema=True) == [(1, "one", None), (2, "two", None), (3, "x", 7)]


def test_only_the_columns_named(pg, load):
    pg.run("CREATE TABLE words (id integer PRIMARY KEY, secret text, word text)")
    pg.run("INSERT INTO words VALUES (1, 'hidden', 'one')")
    assert load(columns=["id", "word"]) == [(1, "one")]
    pg.run("INSERT INTO words VALUES (2, 'hidden', 'two')")
    assert load(columns=["id", "word"]) == [(1, "one"), (2, "two")]


def test_a_publication_of_some_columns_and_rows(pg, load):
    pg.run("CREATE TABLE words (id integer PRIMARY KEY, secret text, word text, twice integer GENERATED ALWAYS AS "
           "(id * 2) STORED)")  # fmt: skip
    pg.run("INSERT INTO words VALUES (1, 'hidden', 'one'), (-1, 'hidden', 'no')")
    pg.run("CREATE PUBLICATION mine FOR TABLE words (id, word) WHERE (id > 0)")
    assert load(publication="mine") == [(1, "one")]
    pg.run(
        "INSERT INTO words VALUES (2, 'hidden', 'two'), (-2, 'hidden', 'no')", "UPDATE words SET id = -3 WHERE id = 1"
    )
    assert load(publication="mine") == [(2, "two")]


def test_computed_columns_are_left_out(pg, load):
    pg.run("CREATE TABLE words (id integer PRIMARY KEY, twice integer GENERATED ALWAYS AS (id * 2) STORED, word text)")
    pg.run("INSERT INTO words (id, word) VALUES (1, 'one')")
    assert load() == [(1, "one")]
    pg.run("INSERT INTO words (id, word) VALUES (2, 'two')")
    assert load() == [(1, "one"), (2, "two")]


def test_a_partitioned_table_is_one_table(pg, load):
    pg.run("CREATE TABLE words (id integer PRIMARY KEY, word text) PARTITION BY RANGE (id)")
    pg.run("CREATE TABLE low PARTITION OF words FOR VALUES FROM (0) TO (10)")
    pg.run("CREATE TABLE high PARTITION OF words FOR VALUES FROM (10) TO (20)", inserted([(1, "one"), (11, "eleven")]))
    assert load() == [(1, "one"), (11, "eleven")]
    pg.run(inserted([(2, "two")]), "UPDATE words SET id = 12 WHERE id = 1")
    assert load() == [(2, "two"), (11, "eleven"), (12, "one")]


def test_other_tables_of_the_publication_are_passed_over(pg, load):
    pg.run(WORDS, "CREATE TABLE others (id integer PRIMARY KEY)", "CREATE PUBLICATION every FOR ALL TABLES")
    pg.run(inserted([(1, "one")]))
    assert load(publication="every", max_changes=2) == [(1, "one")]
    pg.run("INSERT INTO others SELECT generate_series(1, 100)", "TRUNCATE others", inserted([(2, "two")]))
    assert load(publication="every", max_changes=2) == [(1, "one"), (2, "two")]


def test_a_key_of_several_columns(pg, load):
    pg.run('CREATE TABLE words ("Year" integer, id text, word text, PRIMARY KEY ("Year", id))')
    pg.run("INSERT INTO words VALUES (2020, 'it''s', 'one'), (2020, 'b', 'two')")
    key = ("Year", "id")
    load(key=key)
    pg.run("UPDATE words SET word = 'uno' WHERE id = 'it''s'", "DELETE FROM words WHERE id = 'b'")
    assert load(key=key) == [(2020, "it's", "uno")]
