"""What stands at the server: slots that are made, moved, dropped, lost; and what is said when something is wrong."""

import re

import pytest
from pydantic import ValidationError
from tests.house.conftest import ROOT
from tests.ingest.databases.conftest import read
from tests.ingest.databases.test_reader import inserted
from tests.ingest.replication.conftest import LOGICAL, WORDS, cdc_source

from drivetrain.core.errors import Forbidden, NotFound, Refused, Transient
from drivetrain.ingest.reading import Waiter, opened
from drivetrain.ingest.replication.slot import lsn, lsn_of

SLOTS = "SELECT slot_name::text FROM pg_replication_slots"


def refused(caught, code):
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.hint


@pytest.mark.parametrize("place", [0, 1, 0xFFFFFFFF, 1 << 32, (22 << 32) + 0xAB])
def test_places_are_written_as_postgresql_writes_them(place, ask):
    assert lsn_of(lsn(place)) == place
    assert ask(f"SELECT '{lsn(place)}'::pg_lsn - '0/0'") == [(place,)]


def test_the_server_forgets_what_stands_in_the_table(pg, load, ask):
    pg.run(WORDS, inserted([(1, "one")]))
    load()
    (before,) = ask("SELECT confirmed_flush_lsn FROM pg_replication_slots")
    pg.run(inserted([(2, "two")]))
    load()
    assert ask("SELECT confirmed_flush_lsn FROM pg_replication_slots") > [before]
    assert len(ask(SLOTS)) == 1


def test_a_table_that_rests_keeps_no_log(pg, load, ask):
    """Other tables are written; the slot moves on although the dataset has nothing new."""
    pg.run(WORDS, inserted([(1, "one")]), "CREATE TABLE others (id integer)")
    load()
    (before,) = ask("SELECT confirmed_flush_lsn FROM pg_replication_slots")
    for _ in range(2):
        pg.run("INSERT INTO others SELECT generate_series(1, 1000)")
        assert load() == [(1, "one")]
        (after,) = ask("SELECT confirmed_flush_lsn FROM pg_replication_slots")
        assert after > before
        before = after
    pg.run(inserted([(2, "two")]))
    assert load() == [(1, "one"), (2, "two")]


def test_looking_leaves_no_slot(pg, open_cdc, ask, place):
    pg.run(WORDS, inserted([(1, "one")]))
    source = open_cdc()
    assert [portion.name for portion in source.discover()] == ["words"]
    assert read(source).rows == [(1, "one")]
    source.close()
    assert ask(SLOTS) == []
    half = open_cdc().read("")
    next(half)
    assert ask(SLOTS) != []
    half.close()
    assert ask(SLOTS) == []


def test_a_load_that_was_refused_leaves_no_slot(pg, load, ask):
    pg.run("CREATE TABLE words (id integer PRIMARY KEY, word text)", inserted([(1, "one")]))
    rules = {"contract": {"key": ["id"], "columns": {"word": {"type": "integer"}}}}
    with pytest.raises(Refused, match="too_many_bad_rows"):
        load(**rules)
    assert ask(SLOTS) == []


def test_what_waits_is_shown(pg, open_cdc, load):
    pg.run(WORDS, inserted([(1, "one"), (2, "two")]), "ANALYZE words")
    assert [portion.size for portion in open_cdc().discover()] == [2]
    load()
    pg.run(inserted([(3, "three"), (4, "four")]))
    table, slot = open_cdc().discover()
    assert (table.name, slot.size) == ("words", 2)
    assert slot.name.startswith("slot drivetrain_words_")


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",), "is not there any more"),
        (("SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots",), "further"),
        (("DROP TABLE words", WORDS), "the table was dropped and made anew"),
        (("DROP PUBLICATION drivetrain_words",), "the publication was made anew"),
    ],
)
def test_changes_that_are_lost_are_not_passed_over(pg, open_cdc, ask, loss, why):
    pg.run(WORDS, inserted([(1, "one"), (2, "two")]))
    first = open_cdc()
    cursor = read(first).cursor
    first.commit(cursor)
    pg.run("DELETE FROM words WHERE id = 1", *loss, inserted([(3, "three")]))
    for _ in range(2):
        with pytest.raises(Refused, match=why) as caught:
            read(open_cdc(), cursor)
        refused(caught, "cdc_gap")
    again = open_cdc(gaps="snapshot")
    found = read(again, cursor)
    assert found.rows == ask("SELECT * FROM words ORDER BY id")
    assert {change for change, _ in found.changes} == {"whole"}
    again.commit(found.cursor)
    assert len(ask(SLOTS)) == 1, "the slot that is needed no more was dropped"
    pg.run(inserted([(4, "four")]))
    assert read(again, found.cursor).changes == [("put", 4)]


def test_a_log_that_was_removed(pg, open_cdc, ask):
    """The server may keep less of its log than a slot needs."""
    pg.run(WORDS, inserted([(1, "one")]))
    first = open_cdc()
    cursor = read(first).cursor
    first.commit(cursor)
    pg.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()", inserted([(2, "two")]))
    for _ in range(3):
        pg.run("SELECT pg_switch_wal()", "CREATE TABLE filler AS SELECT 1", "DROP TABLE filler")
    pg.run("CHECKPOINT", "ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
    with pytest.raises(Refused, match="was removed") as caught:
        read(open_cdc(), cursor)
    refused(caught, "cdc_gap")
    assert any("(lost)" in portion.name for portion in open_cdc().discover())
    again = open_cdc(gaps="snapshot")
    found = read(again, cursor)
    assert found.changes == [("whole", 1), ("whole", 2)]
    again.commit(found.cursor)
    assert len(ask(SLOTS)) == 1


def test_waiting_ends_when_a_row_comes(pg, open_cdc):
    pg.run(WORDS, "CREATE TABLE others (id integer)")
    source = open_cdc()
    assert isinstance(source, Waiter)
    assert source.wait(0)
    assert read(source).rows == []
    assert not source.wait(0.1)
    pg.run(inserted([(1, "one")]))
    assert source.wait(5)
    cursor = read(source).cursor
    pg.run("INSERT INTO others VALUES (1)")
    assert not source.wait(0.5)
    assert source.lag() == 0
    pg.run(inserted([(2, "two"), (3, "three")]))
    assert source.wait(5)
    assert source.lag() == 2
    source.commit(cursor)
    assert read(source, cursor).changes == [("put", 2), ("put", 3)]
    source.close()


def test_a_server_that_goes_away_while_it_is_waited_for(pg, open_cdc, replicating_server):
    pg.run(WORDS, inserted([(1, "one")]))
    source = open_cdc()
    cursor = read(source).cursor
    source.commit(cursor)
    assert not source.wait(0)
    replicating_server.stop("immediate")
    with pytest.raises(Transient):
        source.wait(1)
    replicating_server.start()
    assert not source.wait(0)
    pg.run(inserted([(2, "two")]))
    assert source.wait(5)
    assert read(source, cursor).changes == [("put", 2)]
    source.close()


@pytest.mark.parametrize(
    ("table", "options", "family", "code"),
    [
        ("CREATE TABLE words (id integer, word text)", {}, Refused, "cdc_identity"),
        (WORDS, {"key": ("word",)}, Refused, "cdc_identity"),
        (WORDS, {"table": "wrods"}, NotFound, "sql_table_unknown"),
        (WORDS, {"columns": ["id", "wrod"]}, Refused, "cdc_publication"),
    ],
)
def test_a_table_that_is_not_made_for_it(pg, open_cdc, table, options, family, code):
    pg.run(table, inserted([(1, "one")]))
    with pytest.raises(family) as caught:
        read(open_cdc(**options))
    refused(caught, code)


def test_a_publication_that_is_not_enough(pg, open_cdc):
    pg.run(WORDS, "CREATE TABLE others (id integer PRIMARY KEY)", "CREATE PUBLICATION mine FOR TABLE others")
    with pytest.raises(Refused, match="does not hold the table") as caught:
        read(open_cdc(publication="mine"))
    refused(caught, "cdc_publication")
    pg.run("ALTER PUBLICATION mine SET TABLE words", "ALTER PUBLICATION mine SET (publish = 'insert')")
    with pytest.raises(Refused, match="leaves kinds of changes out"):
        read(open_cdc(publication="mine"))


def test_users_who_may_not(pg, open_cdc, place):
    """Each step of an administrator is named; the password stays out of it."""
    pg.run("DROP ROLE IF EXISTS keeper", "CREATE ROLE keeper LOGIN PASSWORD 'open sesame'", WORDS)
    pg.run(inserted([(1, "one")]), "GRANT USAGE ON SCHEMA public TO keeper")

    def reading():
        spec = cdc_source(pg.url.replace("postgres@", "keeper@"), password={"env": "PASSWORD"})
        with opened(spec, place) as source:
            return read(source)

    def fails(code, hint):
        with pytest.raises((Refused, Forbidden)) as caught:
            reading()
        refused(caught, code)
        assert hint in caught.value.hint
        assert "sesame" not in str(caught.value)

    fails("cdc_publication", "CREATE PUBLICATION")
    pg.run("CREATE PUBLICATION drivetrain_words FOR TABLE words")
    fails("cdc_forbidden", "REPLICATION")
    pg.run("ALTER ROLE keeper REPLICATION")
    fails("sql_permission_denied", "GRANT SELECT")
    pg.run("GRANT SELECT ON words TO keeper")
    assert reading().rows == [(1, "one")]
    pg.run("DROP OWNED BY keeper", "DROP ROLE keeper")


def test_what_the_page_asks_of_the_administrator_is_enough(pg, place):
    """As it stands there, for a user who has nothing else."""
    page = (ROOT / "docs" / "sources" / "cdc.md").read_text()
    statements = re.search(r"```sql\n(ALTER SYSTEM.*?)```", page, re.DOTALL)[1].strip().splitlines()
    pg.run(
        "CREATE SCHEMA sales", "CREATE TABLE sales.orders (order_id integer PRIMARY KEY)", "CREATE ROLE reader LOGIN"
    )
    pg.run("INSERT INTO sales.orders VALUES (1)", *statements)
    spec = cdc_source(pg.url.replace("postgres@", "reader@"), table="sales.orders", key=("order_id",))
    with opened(spec, place) as source:
        assert read(source).rows == [(1,)]
    pg.run("DROP SCHEMA sales CASCADE", "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_writer_who_does_not_end(pg, open_cdc, replicating_server, replicating_database):
    pg.run(WORDS, inserted([(1, "one")]))
    with replicating_server.connect(replicating_database) as slow:
        slow.autocommit = False
        slow.execute(inserted([(2, "two")]))
        with pytest.raises(Transient) as caught:
            read(open_cdc(timeout_seconds=0.2, retry_seconds=0))
        refused(caught, "cdc_busy")
        slow.commit()


def test_a_server_whose_log_holds_no_changes(pg, open_cdc, replicating_server):
    pg.run(WORDS)
    replicating_server.stop()
    replicating_server.options = LOGICAL.replace("logical", "replica")
    replicating_server.start()
    with pytest.raises(Refused, match="wal_level is replica") as caught:
        read(open_cdc())
    refused(caught, "cdc_server")
    replicating_server.stop()
    replicating_server.options = LOGICAL
    replicating_server.start()


def test_too_many_slots(pg, open_cdc, ask):
    pg.run(WORDS, inserted([(1, "one")]))
    pg.run(*(f"SELECT pg_create_logical_replication_slot('full_{number}', 'pgoutput')" for number in range(20)))
    with pytest.raises(Refused, match="max_replication_slots") as caught:
        read(open_cdc())
    refused(caught, "cdc_server")


def test_a_source_needs_a_key(pg):

    with pytest.raises(ValidationError, match="set `key`"):
        cdc_source(pg.url, key=())
    with pytest.raises(ValidationError, match="kind: sql"):
        cdc_source("mysql://a@b/c")
