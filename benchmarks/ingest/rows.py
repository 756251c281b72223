"""Ten columns of orders, made by DuckDB from a running number: the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from confluent_kafka import Producer
from tests.servers.kafka import broker
from tests.servers.postgres import Postgres, postgres

QUERY = """SELECT i AS id, (hash(i) % 100000)::BIGINT AS customer,
 round((hash(i + 1) % 1000000) / 100.0, 2)::DOUBLE AS amount,
 (['EUR', 'USD', 'GBP', 'CHF'])[1 + (hash(i + 2) % 4)::INT] AS currency,
 DATE '2020-01-01' + ((hash(i + 3) % 1800)::INT) AS day,
 TIMESTAMP '2020-01-01' + to_seconds((hash(i + 4) % 150000000)::BIGINT) AS booked_at,
 (hash(i + 5) % 100)::BIGINT AS quantity, (hash(i + 6) % 2 = 0) AS paid,
 'product-' || (hash(i + 7) % 5000)::VARCHAR AS product, round((hash(i + 8) % 10000) / 10000.0, 4)::DOUBLE AS score
 FROM range({rows}) AS t(i)"""

TABLE = TOPIC = "orders"
_POSTGRES = {
    "integer": "bigint", "number": "float8", "text": "text", "date": "date", "timestamp": "timestamp",
    "boolean": "boolean",
}  # fmt: skip

CONTRACT = {
    "columns": {
        "id": {"type": "integer", "nullable": False, "min": 0},
        "customer": {"type": "integer", "nullable": False},
        "amount": {"type": "number", "nullable": False, "min": 0, "max": 10_000},
        "currency": {"type": "text", "nullable": False, "one_of": ["EUR", "USD", "GBP", "CHF"]},
        "day": {"type": "date"},
        "booked_at": {"type": "timestamp"},
        "quantity": {"type": "integer", "min": 0, "max": 100},
        "paid": {"type": "boolean"},
        "product": {"type": "text", "pattern": "product-[0-9]+"},
        "score": {"type": "number", "min": 0, "max": 1},
    },
    "checks": [
        {"name": "booked_after_start", "sql": "booked_at >= TIMESTAMP '2020-01-01'"},
        {"name": "dear_if_many", "sql": "amount < 10000 OR quantity < 100"},
    ],
}
"""Fifteen rules beside those of the types."""

BROKEN = """id IS NULL OR id < 0 OR customer IS NULL OR amount IS NULL OR amount < 0 OR amount > 10000
 OR currency IS NULL OR currency NOT IN ('EUR', 'USD', 'GBP', 'CHF') OR quantity < 0 OR quantity > 100
 OR NOT regexp_full_match(product, 'product-[0-9]+') OR score < 0 OR score > 1
 OR (booked_at >= TIMESTAMP '2020-01-01') IS NOT TRUE OR (amount < 10000 OR quantity < 100) IS NOT TRUE"""
"""The same fifteen by hand."""


def write_rows(folder: Path, suffix: str, rows: int) -> Path:
    """A file of so many orders."""
    path = folder / f"orders.{suffix}"
    with duckdb.connect() as sql:
        sql.execute("SET memory_limit = '2GB'")
        forms = {"parquet": "FORMAT parquet, ROW_GROUP_SIZE 122880", "csv": "HEADER", "ndjson": "FORMAT json"}
        form = forms[suffix]
        sql.execute(f"COPY ({QUERY.format(rows=rows)}) TO '{path}' ({form})")
    return path


@contextmanager
def written(folder: Path, kind: str, rows: int) -> Iterator[str]:
    """So many orders, while the block runs: the path of a file, the URL of a database, or the address of a broker."""
    match kind:
        case "postgres":
            with postgres() as server:
                database = server.database()
                _fill(server, database, write_rows(folder, "csv", rows))
                yield server.url(database)
        case "kafka":
            with broker() as running:
                running.create(TOPIC)
                _send(running.settings, write_rows(folder, "ndjson", rows))
                yield running.address
        case _:
            yield str(write_rows(folder, kind, rows))


def _fill(server: Postgres, database: str, file: Path) -> None:
    columns = ", ".join(f"{name} {_POSTGRES[rule['type']]}" for name, rule in CONTRACT["columns"].items())
    with server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} ({columns})")
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT csv, HEADER)") as copy, file.open("rb") as source:
            while part := source.read(1 << 20):
                copy.write(part)
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        cursor.execute(f"VACUUM ANALYZE {TABLE}")
    file.unlink()


def _send(settings: dict[str, str | int], file: Path) -> None:
    """The last message goes alone: this broker says where the last batch begins, not where it ends."""
    producer = Producer({**settings, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    last = b""
    with file.open("rb") as lines:
        for line in lines:
            if last:
                while True:
                    try:
                        producer.produce(TOPIC, last)
                        break
                    except BufferError:
                        producer.poll(0.1)
                producer.poll(0)
            last = line.rstrip()
    assert producer.flush(60) == 0
    producer.produce(TOPIC, last)
    assert producer.flush(60) == 0
    file.unlink()
