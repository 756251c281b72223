"""Connections that break in the middle: the load goes on where it was, and nothing is read twice."""

from threading import Thread

import pytest
from tests.ingest.databases.conftest import read
from tests.servers.relay import relay

from drivetrain.core.errors import Transient

ROWS = 40_000
TABLES = {
    "pg": "CREATE TABLE entries AS SELECT id, id / 7 AS at, repeat('x', 600) AS word FROM generate_series(1, 40000) id",
    "maria": "CREATE TABLE entries AS SELECT seq AS id, seq DIV 7 AS at, repeat('x', 99) AS word FROM seq_1_to_40000",
}
AFTER = {"pg": 12 << 20, "maria": 2 << 20}
"""Bytes: in the second batch."""


@pytest.fixture(params=["pg", "maria"])
def wired(request):
    """A database behind a relay, and how many bytes of its table are a batch and a half."""
    base = request.getfixturevalue(request.param)
    base.run(TABLES[request.param])
    port = base.url.rpartition(":")[2].partition("/")[0]
    with relay(int(port)) as wire:
        yield wire, base.url.replace(port, str(wire.port)), AFTER[request.param]


@pytest.mark.parametrize(
    "options", [{"cursor": "id"}, {"cursor": "at"}, {"cursor": "at", "mode": "incremental", "key": ("id",)}]
)
def test_a_connection_that_breaks_doubles_nothing(wired, open_sql, options):
    """Also where several rows have the value at which it broke; among these a database keeps no order."""
    wire, url, after = wired
    reader = open_sql(url, table="entries", **options)
    whole = read(reader)
    wire.cut(2, after)
    broken = read(reader)
    assert wire.broken == 2
    numbers = [row[0] for row in broken.rows]
    assert sorted(numbers) == list(range(1, ROWS + 1))
    marks = [number if options["cursor"] == "id" else number // 7 for number in numbers]
    assert marks == sorted(marks)
    assert broken.positions == whole.positions


def test_a_connection_that_breaks_again_and_again_is_given_up(wired, open_sql):
    wire, url, _ = wired
    wire.cut(10_000, 8_000)
    with pytest.raises(Transient, match="sql_unavailable"):
        read(open_sql(url, table="entries", cursor="id", retry_seconds=0.5))


def test_a_whole_that_breaks_has_to_begin_again(wired, open_sql):
    """Half a relation is not the relation."""
    wire, url, after = wired
    wire.cut(1, after)
    reader = open_sql(url, table="entries", key=("id",))
    with pytest.raises(Transient, match="sql_unavailable"):
        read(reader)
    assert len(read(reader).rows) == ROWS


@pytest.mark.parametrize("kind", ["pg", "maria"])
def test_a_server_that_goes_and_comes_back(kind, request, open_sql):
    base = request.getfixturevalue(kind)
    server = request.getfixturevalue("postgres_server" if kind == "pg" else "mariadb_server")
    base.run(TABLES[kind])
    items = open_sql(base.url, table="entries", cursor="id").read("")
    rows = next(items).rows.num_rows
    server.stop()
    back = Thread(target=server.start)
    back.start()
    try:
        rest = [item for item in items if hasattr(item, "rows")]
    finally:
        back.join()
    numbers = [number for batch in rest for number in batch.numbers.to_pylist()]
    assert numbers == list(range(rows + 1, ROWS + 1))


def test_a_statement_that_times_out_after_some_rows_goes_on(pg, open_sql):
    """Who takes the rows may be slow: the time of one statement is not the time of the load."""
    pg.run(TABLES["pg"])
    items = open_sql(pg.url, table="entries", cursor="id", timeout_seconds=0.5).read("")
    first = next(items)
    pg.run("SELECT pg_sleep(0.6)")
    numbers = [number for item in (first, *items) if hasattr(item, "rows") for number in item.numbers.to_pylist()]
    assert numbers == list(range(1, ROWS + 1))
