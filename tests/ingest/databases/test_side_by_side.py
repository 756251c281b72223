"""Several connections read what one would, in less time; what one of them raises is raised."""

import pytest
from tests.ingest.databases.conftest import read

from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.databases.side_by_side import side_by_side

LINES = (
    "CREATE TABLE lines AS SELECT id - 500 AS id, id % 90 AS at, md5(id::text) AS word FROM generate_series(1, 3000) id"
)


@pytest.mark.parametrize(
    "options",
    [
        {"cursor": "id"},
        {"cursor": "at", "parallel_by": "id"},
        {"cursor": "id", "mode": "incremental", "key": ("id",), "look_back": 100},
        {"key": ("id",), "parallel_by": "id"},
    ],
)
def test_parallel_reads_what_one_connection_reads(pg, open_sql, options):
    pg.run(LINES, "INSERT INTO lines VALUES (7, 1, 'twice')")
    one = open_sql(pg.url, table="lines", **options)
    many = open_sql(pg.url, table="lines", parallel=4, **options)
    serial, parallel = read(one), read(many)
    assert sorted(parallel.rows) == sorted(serial.rows)
    assert parallel.positions[-1].content == serial.positions[-1].content
    assert sorted(number for batch in parallel.batches for number in batch.numbers.to_pylist()) == list(range(1, 3002))
    pg.run("INSERT INTO lines VALUES (2501, 90, 'new')")
    assert sorted(read(many, serial.cursor).rows) == sorted(read(one, parallel.cursor).rows)


def test_rows_without_a_number_are_in_one_of_the_ranges(pg, open_sql):
    pg.run("CREATE TABLE lines (id integer, word text)", "INSERT INTO lines VALUES (NULL, 'a'), (1, 'b'), (9, 'c')")
    found = read(open_sql(pg.url, table="lines", key=("word",), parallel=3, parallel_by="id"))
    assert sorted(row[1] for row in found.rows) == ["a", "b", "c"]


def test_only_integers_are_divided(pg, open_sql):
    pg.run(LINES)
    with pytest.raises(InvalidInput, match="sql_parallel_unusable"):
        read(open_sql(pg.url, table="lines", cursor="id", parallel=2, parallel_by="word"))


def test_what_one_raises_ends_all(pg, open_sql):
    query = "SELECT id, 1 / (id - 2999) AS x FROM generate_series(1, 3000) AS id"
    with pytest.raises(InvalidInput, match="division by zero"):
        read(open_sql(pg.url, query=query, cursor="id", parallel=3))


def test_who_stops_listening_stops_the_streams():
    def counting():
        for number in range(1_000_000):
            passed.append(number)
            yield number

    passed = []
    items = side_by_side([counting(), counting()])
    assert next(items) == 0
    items.close()
    assert len(passed) < 100
