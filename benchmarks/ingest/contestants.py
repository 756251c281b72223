"""What is measured: each takes the file, and says how long it took and what it held in memory at most."""

from __future__ import annotations

import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition
from deltalake import write_deltalake
from rows import BROKEN, CONTRACT, TABLE, TOPIC

from drivetrain.core.contract import Contract
from drivetrain.core.schema import Column, Schema
from drivetrain.core.sources.databases import SqlSource
from drivetrain.core.sources.files import FilesSource
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.judging import Judge, Verdict
from drivetrain.store.catalog import Catalog

_ROWS = 98_304
_AHEAD = 3


@dataclass(frozen=True)
class Taken:
    """What it took."""

    seconds: float
    megabytes: int


def _measured(work: Callable[[str, Path], None]) -> Callable[[str, Path], Taken]:
    def run(source: str, scratch: Path) -> Taken:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            began = time.perf_counter()
            work(source, Path(folder))
            seconds = time.perf_counter() - began
        return Taken(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

    return run


def _drivetrain(file: str, folder: Path) -> None:
    """Types checked, 15 rules, bad rows to quarantine, the cursor in the commit."""
    spec = FilesSource.model_validate({"kind": "files", "path": file, "contract": CONTRACT})
    with Catalog(folder) as catalog:
        dataset = ingest(spec, "orders", catalog)
        assert dataset.quarantined == 0


def _bare(file: str, folder: Path) -> None:
    """DuckDB guesses the types; nothing is checked."""
    with duckdb.connect() as sql:
        write_deltalake(str(folder / "orders"), sql.sql(f"SELECT * FROM '{file}'").to_arrow_reader(_ROWS))


def _rules(file: str, folder: Path) -> None:
    """The contract over the batches of the file, judged in a thread beside the reader, as a load does."""
    contract = Contract.model_validate(CONTRACT)
    schema = Schema(tuple(Column(name, rule.type) for name, rule in contract.columns.items()))
    with duckdb.connect() as sql:
        judge = Judge(contract, schema, sql, "orders")
        with ThreadPoolExecutor(1) as thread:
            ahead: deque[Future[Verdict]] = deque()
            for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS):
                ahead.append(thread.submit(judge.judge, pa.Table.from_batches([batch])))
                while len(ahead) > _AHEAD:
                    assert ahead.popleft().result().bad is None
            assert all(one.result().bad is None for one in ahead)


def _query(file: str, folder: Path) -> None:
    """One query over the same batches."""
    batches = pq.ParquetFile(file).iter_batches(batch_size=_ROWS)
    schema = pq.read_schema(file)
    with duckdb.connect() as sql:
        sql.register("orders", pa.RecordBatchReader.from_batches(schema, batches))
        assert sql.execute(f"SELECT count(*) FROM orders WHERE {BROKEN}").fetchone() == (0,)


def _table(url: str, folder: Path) -> None:
    """A first load of a table by its cursor, with types and rules checked, into Delta."""
    spec = SqlSource.model_validate({"kind": "sql", "url": url, "table": TABLE, "cursor": "id", "contract": CONTRACT})
    with Catalog(folder) as catalog:
        assert ingest(spec, "orders", catalog).quarantined == 0


def _adbc(url: str, folder: Path) -> None:
    """The same rows into Arrow, and away."""
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        assert sum(batch.num_rows for batch in cursor.fetch_record_batch())


def _topic(address: str, folder: Path) -> None:
    """JSON messages as typed rows, with rules checked, into Delta, the offsets in the commit."""
    spec = KafkaSource.model_validate({"kind": "kafka", "brokers": [address], "topics": [TOPIC], "contract": CONTRACT})
    with Catalog(folder) as catalog:
        assert ingest(spec, "orders", catalog).quarantined == 0


def _consumer(address: str, folder: Path) -> None:
    """The bytes of the messages, and away."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "bare", "auto.offset.reset": "earliest"})
    partition = TopicPartition(TOPIC, 0, 0)
    consumer.assign([partition])
    left = consumer.get_watermark_offsets(partition, timeout=10)[1]
    while left > 0:
        left -= sum(
            message.error() is None and len(message.value() or b"") > 0 for message in consumer.consume(10_000, 1)
        )
    consumer.close()


CONTESTANTS = {
    "table": _measured(_table),
    "adbc": _measured(_adbc),
    "topic": _measured(_topic),
    "consumer": _measured(_consumer),
    "drivetrain": _measured(_drivetrain),
    "bare": _measured(_bare),
    "rules": _measured(_rules),
    "query": _measured(_query),
}
