"""The contract of a Reader, kept by a table of a real PostgreSQL and its changes; and what becomes of each change."""

import pytest
from tests.ingest.databases.conftest import read
from tests.ingest.databases.test_reader import inserted
from tests.ingest.replication.conftest import WORDS, cdc_source

from drivetrain.core.errors import InvalidInput
from drivetrain.testing.readers import ReaderContract


class TestCdc(ReaderContract):
    @pytest.fixture(autouse=True)
    def _base(self, pg):
        self.base = pg

    def make(self, home, rows):
        self.base.run(WORDS)
        return self.add(home, rows)

    def add(self, home, rows):
        self.base.run(inserted(rows))
        return cdc_source(self.base.url)

    def remove(self, home):
        self.base.run("DROP TABLE words")


def test_the_table_first_then_its_changes(pg, load):
    pg.run(WORDS, inserted([(1, "one"), (2, "two"), (3, "three")]))
    assert load() == [(1, "one"), (2, "two"), (3, "three")]
    pg.run("UPDATE words SET word = 'uno' WHERE id = 1", "DELETE FROM words WHERE id = 2", inserted([(4, "four")]))
    assert load() == [(1, "uno"), (3, "three"), (4, "four")]
    pg.run("UPDATE words SET id = 30 WHERE id = 3", "DELETE FROM words WHERE id = 4", inserted([(4, "again")]))
    assert load() == [(1, "uno"), (4, "again"), (30, "three")]


def test_changes_say_what_they_do(pg, open_cdc):
    pg.run(WORDS, inserted([(1, "one"), (2, "two")]))
    source = open_cdc()
    first = read(source)
    assert first.changes == [("whole", 1), ("whole", 2)]
    pg.run("UPDATE words SET word = 'a' WHERE id = 1", "UPDATE words SET word = 'b' WHERE id = 1")
    pg.run("UPDATE words SET id = 3 WHERE id = 2")
    second = read(source, first.cursor)
    assert sorted(second.changes) == [("drop", 2), ("put", 1), ("put", 3)]
    assert (1, "b") in second.rows
    assert read(source, first.cursor).rows == second.rows
    assert read(source, second.cursor).positions == []


def test_what_is_not_committed_is_not_read(pg, open_cdc, replicating_server, replicating_database):
    pg.run(WORDS, inserted([(1, "one")]))
    source = open_cdc()
    cursor = read(source).cursor
    with replicating_server.connect(replicating_database) as slow:
        slow.autocommit = False
        slow.execute(inserted([(2, "two")]))
        pg.run(inserted([(3, "three")]))
        with replicating_server.connect(replicating_database) as gone:
            gone.autocommit = False
            gone.execute(inserted([(9, "nine")]))
            gone.rollback()
        found = read(source, cursor)
        assert found.changes == [("put", 3)]
        slow.commit()
    assert read(source, found.cursor).changes == [("put", 2)]


def test_a_truncated_table_is_read_whole(pg, load):
    pg.run(WORDS, inserted([(1, "one"), (2, "two")]))
    load()
    pg.run(inserted([(3, "three")]), "TRUNCATE words", inserted([(4, "four")]))
    assert load() == [(4, "four")]
    pg.run(inserted([(5, "five")]))
    assert load() == [(4, "four"), (5, "five")]
    pg.run("TRUNCATE words")
    assert load() == []
    pg.run(inserted([(6, "six")]))
    assert load() == [(6, "six")]


def test_an_empty_table_is_waited_for(pg, load, ask):
    pg.run(WORDS)
    with pytest.raises(InvalidInput, match="no_rows"):
        load()
    assert ask("SELECT * FROM pg_replication_slots") == []
    pg.run(inserted([(1, "one")]))
    assert load() == [(1, "one")]
    pg.run("DELETE FROM words")
    assert load() == []
