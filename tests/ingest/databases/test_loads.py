"""Whole loads of tables into datasets: what the dataset holds is what the table held."""

import os
import random
import signal
from contextlib import closing, suppress
from threading import Event

import pytest
from tests.ingest.databases.conftest import sql_source
from tests.ingest.killed_loads import Loads

from drivetrain.ingest.ingest import ingest
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

PEOPLE = "CREATE TABLE people (id integer PRIMARY KEY, age integer, changed integer NOT NULL, gone boolean NOT NULL)"
CHANGING = {"mode": "incremental", "cursor": "changed", "deleted": "gone", "look_back": 3}
WHOLE = {"deleted": "gone"}


@pytest.fixture
def load(tmp_path):
    """``load(url, **options)`` loads the table of people; gives the dataset and its rows."""

    def run(url, **options):
        source = sql_source(url, table="people", key=("id",), columns=["id", "age"], **options)
        with Catalog(tmp_path) as catalog:
            dataset = ingest(source, "people", catalog)
            rows = Table(catalog.table_path("datasets", "people")).read(dataset.version).to_pylist()
            catalog.put(dataset)
        return dataset, sorted((row["id"], row["age"]) for row in rows)

    return run


def test_what_changes_at_the_source_changes_in_the_dataset(base, load):
    base.run(PEOPLE, "INSERT INTO people VALUES (1, 30, 10, false), (2, 40, 11, false), (3, 50, 12, true)")
    first, rows = load(base.url, **CHANGING)
    assert rows == [(1, 30), (2, 40)]
    assert load(base.url, **CHANGING)[0] == first
    base.run("UPDATE people SET age = 31, changed = 20 WHERE id = 1", "INSERT INTO people VALUES (4, 60, 21, false)")
    base.run("UPDATE people SET gone = true, changed = 22 WHERE id = 2")
    assert load(base.url, **CHANGING)[1] == [(1, 31), (4, 60)]
    base.run("INSERT INTO people VALUES (5, 70, 20, false), (6, 80, 13, false)")  # late, and too late
    assert load(base.url, **CHANGING)[1] == [(1, 31), (4, 60), (5, 70)]


def test_what_is_deleted_at_the_source_goes_from_the_dataset(base, load):
    base.run(PEOPLE, "INSERT INTO people VALUES (1, 30, 1, false), (2, 40, 1, false), (3, 50, 1, true)")
    first, rows = load(base.url, **WHOLE)
    assert rows == [(1, 30), (2, 40)]
    assert load(base.url, **WHOLE)[0] == first
    base.run("DELETE FROM people WHERE id = 1", "UPDATE people SET age = 41 WHERE id = 2")
    last, rows = load(base.url, **WHOLE)
    assert rows == [(2, 41)]
    assert last.version > first.version


@pytest.mark.parametrize("options", [CHANGING, {**CHANGING, "parallel": 3, "parallel_by": "id"}, WHOLE])
def test_any_changes_end_in_the_same_rows(pg, load, options):
    """Random inserts, updates, deletes and returns, a load after each few."""
    chance, clock, people = random.Random(7), 0, {}
    pg.run(PEOPLE)
    pg.run("INSERT INTO people VALUES (0, 0, 0, false)")
    people[0] = 0
    for _ in range(4):
        for _ in range(25):
            clock += 1
            id_, age, gone = chance.randrange(30), chance.randrange(100), chance.random() < 0.3 and len(people) > 1
            pg.run(
                f"INSERT INTO people VALUES ({id_}, {age}, {clock}, {gone}) ON CONFLICT (id) DO UPDATE "
                f"SET age = {age}, changed = {clock}, gone = {gone}"
            )
            people.pop(id_, None)
            people |= {} if gone else {id_: age}
        assert load(pg.url, **options)[1] == sorted(people.items())


def test_kills_neither_lose_nor_double_a_row(pg, tmp_path):
    """The process is killed at some moment of its load, again and again, while the table grows."""
    pg.run(PEOPLE)
    chance, rows, pause = random.Random(3), 0, Event()
    source = sql_source(pg.url, table="people", cursor="id")
    with closing(Loads(tmp_path, source, "people")) as loads:
        for _ in range(3):
            pg.run(f"INSERT INTO people SELECT id, 1, 1, false FROM generate_series({rows + 1}, {rows + 20_000}) AS id")
            rows += 20_000
            child = loads.start()
            pause.wait(chance.uniform(0, 0.8))
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
            loads.finish()
    with Catalog(tmp_path) as catalog:
        dataset = ingest(source, "people", catalog)
        found = Table(catalog.table_path("datasets", "people")).read(dataset.version).column("id").to_pylist()
    assert sorted(found) == list(range(1, rows + 1))
