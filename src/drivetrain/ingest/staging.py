"""Where the rows of one load stand between the source and the table: good ones in files, bad ones in a list.

Rows are judged in a thread of their own while the next ones are read. Nothing here is held in memory as a whole.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from drivetrain.core.contract import Contract
from drivetrain.core.errors import Refused
from drivetrain.core.schema import ColumnType, Schema
from drivetrain.ingest.columns import Columns
from drivetrain.ingest.judging import SEPARATOR, Bad, Judge
from drivetrain.ingest.keys import Keys, key_contract
from drivetrain.ingest.naming import AS_IT_IS, Naming
from drivetrain.ingest.origin import Origin
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.sketch import Sketching
from drivetrain.store.casting import literal, quoted
from drivetrain.store.files.batches import Change
from drivetrain.store.parts import Part, Parts

_MEMORY = "512MB"
_AHEAD = 3  # batches
_ROWS = 65_536
_BAD = "origin VARCHAR, load VARCHAR, portion VARCHAR, row BIGINT, raw VARCHAR, reasons VARCHAR"


@dataclass
class Count:
    """Rows of one origin: all of them, and the bad ones."""

    rows: int = 0
    bad: int = 0


@dataclass(frozen=True)
class _Rows:
    """Some rows with where each stood: columns ``load`` (null: this one), ``portion`` and ``row``."""

    origin: Origin
    rows: pa.Table
    places: pa.Table
    change: Change = Change.ADD


class Staging:
    """The staged rows, and a DuckDB that reaches neither files nor network. Use it as a context manager."""

    def __init__(self, work: Path, contract: Contract, columns: Columns, where: str, naming: Naming = AS_IT_IS) -> None:
        shutil.rmtree(work, ignore_errors=True)  # what a killed load left
        work.mkdir(parents=True)
        self._work, self._contract, self._where, self._naming = work, contract, where, naming
        self.columns = columns
        self.counts = {origin: Count() for origin in Origin}
        self.good = {origin: Parts(work) for origin in Origin}
        self.rows = 0
        self.whole = False
        self.unsettled = False
        """Whether a rule speaks of a column that had not been seen when it was needed: read again, it may be there."""
        self.sql = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": _MEMORY,
                "temp_directory": str(work),
            }
        )
        self.sql.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")
        self.sql.execute(f"CREATE TABLE bad ({_BAD})")
        self.keys = Keys(contract, self.sql)
        self.sketching = Sketching()
        self._judge: Judge | None = None
        self._key_judge: Judge | None = None
        self._judging = ThreadPoolExecutor(1, "judging")
        self._ahead: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._judging.shutdown(cancel_futures=True)
        self.sql.close()
        shutil.rmtree(self._work, ignore_errors=True)

    # --- rows come in -------------------------------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        """Stage the rows of a source, broken ones included."""
        self.rows += batch.rows.num_rows + len(batch.broken)
        self._later(partial(self._add, self._naming.applied(batch)))

    def judge_stored(self, rows: ds.Dataset, portion: str) -> None:
        """Stage the rows of the table again, but those that the source has changed."""
        texts = {column.name for column in self.columns.schema.columns if column.type is ColumnType.TEXT}
        chosen = [
            f"CAST({quoted(n)} AS VARCHAR) AS {quoted(n)}" if n in texts else quoted(n) for n in rows.schema.names
        ]
        first = 1
        for batch in self._stream(rows, ", ".join(chosen), self.keys.unchanged):
            places = _places(portion, pa.array(np.arange(first, first + batch.num_rows)))
            first += batch.num_rows
            self._later(partial(self._stage, _Rows(Origin.STORED, batch, places)))
        self.settle()

    def add_quarantined(self, rows: ds.Dataset) -> None:
        """Stage quarantined rows again from their raw values; rows that never had columns are broken as before."""
        columns = self.columns.schema.names
        values = [f"json_extract_string(raw, {literal(_json_path(name))}) AS {quoted(name)}" for name in columns]
        self.sql.register("quarantined", rows)
        said = literal(Origin.QUARANTINE)
        self.sql.execute(
            f"INSERT INTO bad SELECT {said}, load, portion, row, raw, array_to_string(reasons, {SEPARATOR}) "
            "FROM quarantined WHERE json_type(raw) <> 'OBJECT'"
        )
        row = self.sql.execute("SELECT count(*) FROM bad").fetchone()
        assert row is not None
        count = self.counts[Origin.QUARANTINE]
        count.rows, count.bad = row[0], row[0]
        chosen = ", ".join(["load", "portion", "row", *values])
        for batch in self._stream(rows, chosen, "WHERE json_type(raw) = 'OBJECT'"):
            self._stage(_Rows(Origin.QUARANTINE, batch.select(columns), batch.select(["load", "portion", "row"])))
        self.sql.unregister("quarantined")
        self.settle()

    def settle(self) -> None:
        """Wait until all rows that came in are judged, and finish their files."""
        while self._ahead:
            self._ahead.popleft().result()
        for parts in self.good.values():
            parts.close()

    # --- what came of them --------------------------------------------------------------------------------------

    def files(self, *origins: Origin) -> tuple[Part, ...]:
        """The files of good rows."""
        return tuple(part for origin in origins for part in self.good[origin].files)

    def good_rows(self) -> ds.Dataset | None:
        """All good rows; None when there is none."""
        files = self.files(*Origin)
        return ds.dataset([str(part.path) for part in files]) if files else None

    def count(self, origin: Origin) -> Count:
        """How many rows of that origin there are, and how many are bad."""
        return self.counts[origin]

    def part_repeats(self, stored: ds.Dataset | None) -> None:
        """Take out rows that repeat an earlier one or one of ``stored`` (they are bad), and rows changed later."""
        out: dict[Origin, list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = {origin: [] for origin in Origin}
        for origin, repeats in self.keys.repeats(self.good, stored):
            assert repeats.part.places is not None, "where a row stood is written when anything must be unique"
            places = pq.read_table(repeats.part.places).take(pa.array(repeats.bad.positions))
            self._note_bad(origin, repeats.bad, places)
            out[origin].append(repeats.numbers)
        out[Origin.SOURCE].append(self.keys.superseded())
        for origin, found in out.items():
            if sum(map(len, found)):
                self.good[origin].remove(np.unique(np.concatenate(found)))

    @property
    def has_something(self) -> bool:
        """Whether any row of the source is good or bad; rows that only say what goes are neither."""
        return self.unsettled or bool(self.good[Origin.SOURCE].rows or self.counts[Origin.SOURCE].bad)

    def reasons(self, origin: Origin) -> tuple[str, ...]:
        """One example for each thing that was wrong, most frequent first, with how often it was."""
        rows = self.sql.execute(
            f"SELECT first(reason ORDER BY reason), count(*) AS times FROM (SELECT unnest(string_split("
            f"reasons, {SEPARATOR})) AS reason FROM bad WHERE origin = {literal(origin)}) "
            "GROUP BY regexp_replace(reason, '''.*''|[0-9]+', '', 'g') ORDER BY times DESC, 1"
        ).fetchall()
        return tuple(f"{reason} ({times:,} x)" for reason, times in rows)

    def bad(self, load: str) -> pa.RecordBatchReader:
        """The bad rows in order, as in ``quarantine.SCHEMA``; ``load`` is for rows that are bad first now."""
        return self.sql.sql(
            f"SELECT coalesce(load, {literal(load)}) AS load, portion, row, raw, string_split(reasons, {SEPARATOR}) AS "
            "reasons FROM bad ORDER BY origin, bad.load, portion, row"
        ).to_arrow_reader(_ROWS)

    # --- in the thread of the judge -----------------------------------------------------------------------------

    def _stream(self, rows: ds.Dataset, chosen: str, which: str) -> Iterator[pa.Table]:
        """By a connection of its own, so that the rows can be staged while the rest is still to come."""
        with self.sql.cursor() as sql:
            sql.register("passing", rows)
            for batch in sql.sql(f"FROM (SELECT {chosen} FROM passing {which})").to_arrow_reader(_ROWS):
                yield pa.Table.from_batches([batch])

    def _later(self, work: Callable[[], None]) -> None:
        self._ahead.append(self._judging.submit(work))
        if len(self._ahead) > _AHEAD:
            self._ahead.popleft().result()

    def _add(self, batch: Batch) -> None:
        self.columns.see(batch, self.sql)
        self.whole |= batch.change is Change.WHOLE
        self._stage(_Rows(Origin.SOURCE, batch.rows, _places(batch.portion, batch.numbers), batch.change))
        if batch.broken:
            broken = batch.broken
            lines = pa.array([row.text for row in broken], pa.string())
            self.sql.register("lines", pa.table({"line": lines}))
            raw = self.sql.sql("SELECT CAST(to_json(line) AS VARCHAR) FROM lines").to_arrow_table().column(0)
            self.sql.unregister("lines")
            bad = Bad(np.arange(len(broken)), raw.combine_chunks(), pa.array([row.reason for row in broken]))
            self.counts[Origin.SOURCE].rows += len(broken)
            self._note_bad(Origin.SOURCE, bad, _places(batch.portion, pa.array([row.number for row in broken])))

    def _stage(self, staged: _Rows) -> None:
        rows, origin = staged.rows, staged.origin
        self.counts[origin].rows += rows.num_rows
        if not rows.num_rows:
            return
        judge = self._judge_of(staged.change)
        if judge is None:
            return
        learn = self.columns if origin is Origin.SOURCE and not self.columns.settled else None
        verdict = judge.judge(rows, learn)
        if origin is Origin.SOURCE and staged.change is not Change.DROP:
            # Where every row is bad, as where a column of the contract has a new name, its values tell which.
            self.sketching.see(verdict.good if verdict.good.num_rows else verdict.typed)
        places = staged.places
        if verdict.bad is not None:
            self._note_bad(origin, verdict.bad, places.take(pa.array(verdict.bad.positions)))
            places = places.take(pa.array(verdict.positions))
        first = self.good[origin].rows
        self.keys.note(origin, verdict.good, first, staged.change)
        if staged.change is not Change.DROP and verdict.good.num_rows:
            self.good[origin].write(verdict.good, places if self.keys.wanted else None)

    def _judge_of(self, change: Change) -> Judge | None:
        """The judge of the columns known so far; None while a column that the contract speaks of was not seen yet."""
        schema = self.columns.schema
        if not self.columns.settled and not set(self._contract.key) <= set(schema.names):
            self.unsettled = True
            return None
        if change is Change.DROP:
            keys = Schema(tuple(column for column in schema.columns if column.name in self._contract.key))
            if self._key_judge is None or self._key_judge.schema != keys:
                self._key_judge = Judge(key_contract(self._contract), keys, self.sql, self._where)
            return self._key_judge
        if self._judge is None or self._judge.schema != schema:
            try:
                self._judge = Judge(self._contract, schema, self.sql, self._where)
            except Refused:
                if self.columns.settled:
                    raise
                self.unsettled, self._judge = True, None
        return self._judge

    def _note_bad(self, origin: Origin, bad: Bad, places: pa.Table) -> None:
        self.counts[origin].bad += len(bad.positions)
        self.sql.register("found", places.append_column("raw", bad.raw).append_column("reasons", bad.reasons))
        self.sql.execute(f"INSERT INTO bad SELECT {literal(origin)}, load, portion, row, raw, reasons FROM found")
        self.sql.unregister("found")


def _places(portion: str, numbers: pa.Array) -> pa.Table:
    count = len(numbers)
    return pa.table(
        {"load": pa.nulls(count, pa.string()), "portion": pa.repeat(portion, count), "row": numbers.cast(pa.int64())}
    )


def _json_path(column: str) -> str:
    return '$."' + column.replace("\\", "\\\\").replace('"', '\\"') + '"'
