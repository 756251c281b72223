"""While others write, and through kills: each load holds whole transactions, and the end is what the table holds."""

import os
import random
import signal
import threading
from contextlib import suppress

import psycopg
import pytest
from tests.ingest.killed_loads import Loads
from tests.ingest.replication.conftest import cdc_source

from drivetrain.ingest.ingest import ingest
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

ACCOUNTS = "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL, note text)"


class Writers:
    """Threads that move money between accounts, open and close them; what they write adds up to nothing."""

    def __init__(self, url, count=2, pause=0.002):
        self._url, self._pause = url, pause
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number):
        chance = random.Random(number)
        mine = list(range(number * 1_000_000, number * 1_000_000 + 10))
        with psycopg.connect(self._url) as connection:
            while not self._over.wait(self._pause):
                self._step(connection, chance, mine)
                (connection.rollback if chance.random() < 0.1 else connection.commit)()

    def _step(self, connection, chance, mine):
        one, other, amount = chance.choice(mine), chance.choice(mine), chance.randrange(100)
        match chance.randrange(5):
            case 0 | 1:
                upsert = (
                    "INSERT INTO accounts VALUES (%s, %s) ON CONFLICT (id) "
                    "DO UPDATE SET balance = accounts.balance + excluded.balance"
                )
                connection.execute(upsert, (one, amount))
                connection.execute(upsert, (other, -amount))
            case 2:
                connection.execute("DELETE FROM accounts WHERE id IN (%s, %s) AND balance = 0", (one, other))
            case 3:
                connection.execute(
                    "WITH gone AS (DELETE FROM accounts WHERE id = %s RETURNING balance) UPDATE accounts SET balance "
                    "= balance + coalesce((SELECT sum(balance) FROM gone), 0) WHERE id = (SELECT min(id) FROM accounts "
                    "WHERE id BETWEEN %s AND %s AND id <> %s)",
                    (one, mine[0], mine[-1], one),
                ) if self._has_other(connection, mine, one) else None
            case 4:
                if not connection.execute("SELECT 1 FROM accounts WHERE id = %s", (other,)).fetchone():
                    connection.execute("UPDATE accounts SET id = %s WHERE id = %s", (other, one))

    def _has_other(self, connection, mine, one):
        query = "SELECT 1 FROM accounts WHERE id BETWEEN %s AND %s AND id <> %s"
        return connection.execute(query, (mine[0], mine[-1], one)).fetchone()


def table_of(pg):
    with psycopg.connect(pg.url) as connection:
        return connection.execute("SELECT id, balance FROM accounts ORDER BY id").fetchall()


def dataset_of(home):
    with Catalog(home) as catalog:
        rows = Table(catalog.table_path("datasets", "accounts")).read()
    return sorted(zip(rows.column("id").to_pylist(), rows.column("balance").to_pylist(), strict=True))


def filled(pg, rows):
    """Rows that nobody changes, so that reading the table takes its time."""
    pg.run(
        ACCOUNTS, f"INSERT INTO accounts SELECT n, 0, repeat('x', 40) FROM generate_series(9000000, {9000000 + rows}) n"
    )


def test_loads_while_others_write(pg, tmp_path):
    filled(pg, 20_000)
    with Writers(pg.url), Catalog(tmp_path) as catalog:
        for _ in range(4):
            ingest(cdc_source(pg.url, "accounts"), "accounts", catalog)
            assert sum(balance for _, balance in dataset_of(tmp_path)) == 0, "half of a transaction"
    with Catalog(tmp_path) as catalog:
        ingest(cdc_source(pg.url, "accounts"), "accounts", catalog)
    assert dataset_of(tmp_path) == table_of(pg)


@pytest.fixture
def loads(pg, tmp_path):
    found = Loads(
        tmp_path, cdc_source(pg.url, "accounts"), "accounts",
        before_the_slot=["drivetrain.ingest.replication.reader", "Slots.keep"],
        before_the_server_forgets=["drivetrain.ingest.replication.reader", "Slots.advance"],
    )  # fmt: skip
    yield found
    found.close()


def test_kills_at_the_worst_moments(pg, tmp_path, loads, ask):
    filled(pg, 10)
    with Writers(pg.url, 1):
        for moment in ("before the slot", "before the table", "before the server forgets"):
            assert loads.run(moment) is None, moment
    assert loads.run() is not None
    assert dataset_of(tmp_path) == table_of(pg)
    assert len(ask("SELECT * FROM pg_replication_slots")) == 1, "none is left behind"


@pytest.mark.slow
def test_kills_at_random_moments(pg, tmp_path, loads):
    filled(pg, 20_000)
    chance, pause = random.Random(7), threading.Event()
    with Writers(pg.url):
        for _ in range(100):
            child = loads.start()
            pause.wait(chance.uniform(0, 1))
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
            loads.finish()
    loads.run()
    assert dataset_of(tmp_path) == table_of(pg)
