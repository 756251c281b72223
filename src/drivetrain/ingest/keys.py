"""Keys of the rows of a load: which rows repeat what must be unique, and which were changed later in the same load.

Of every key only a hash of 64 bits is kept; rows that share one are looked at again, with their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from drivetrain.core.contract import Contract
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.judging import SEPARATOR, Bad
from drivetrain.ingest.origin import Origin
from drivetrain.ingest.rules import RAW, Unique, shown, uniques
from drivetrain.store.casting import listed, literal, quoted
from drivetrain.store.files.batches import Change
from drivetrain.store.files.parquet import as_text
from drivetrain.store.parts import Part, Parts

Numbers = npt.NDArray[np.int64]
_NUMBER = "drivetrain_number"


@dataclass(frozen=True)
class Repeats:
    """Rows of one file that repeat an earlier one: their numbers over all files of the origin, and why each is bad."""

    part: Part
    numbers: Numbers
    bad: Bad


def key_contract(contract: Contract) -> Contract:
    """What is asked of a row that only says which one goes."""
    return Contract(
        columns={name: rule for name, rule in contract.columns.items() if name in contract.key}, key=contract.key
    )


class Keys:
    """The keys of the good rows of one load."""

    def __init__(self, contract: Contract, sql: duckdb.DuckDBPyConnection) -> None:
        self._sql, self._key = sql, contract.key
        self._uniques = uniques(contract)
        self._turn = 0
        self.changing = False
        self._settled = False
        for number in range(len(self._uniques)):
            sql.execute(f"CREATE TABLE hashes_{number} (origin VARCHAR, number BIGINT, hash UBIGINT)")

    @property
    def wanted(self) -> bool:
        """Whether anything must be unique."""
        return bool(self._uniques)

    def note(self, origin: Origin, good: pa.Table, first: int, change: Change) -> None:
        """Remember the keys of good rows; ``first`` is the number of the first one among the good ones of its origin.

        Raises InvalidInput for changed rows without a contract that says what a row's key is.
        """
        moving = change in (Change.PUT, Change.DROP)
        assert origin is not Origin.SOURCE or moving or not self.changing, "a reading adds rows, or puts and drops them"
        if moving:
            self._require_key()
        if not self._uniques or not good.num_rows:
            return
        self._sql.register("rows", good.append_column(_NUMBER, pa.array(np.arange(first, first + good.num_rows))))
        if moving:
            self._move(change is Change.DROP)
        for number, unique in enumerate(self._uniques):
            if change is Change.DROP or (moving and unique.columns == self._key) or not _has(good.schema, unique):
                continue
            self._sql.execute(
                f"INSERT INTO hashes_{number} SELECT {literal(origin)}, {_NUMBER}, {_hash(unique)} FROM rows "
                f"WHERE {_present(unique)}"
            )
        self._sql.unregister("rows")

    @property
    def unchanged(self) -> str:
        """SQL after a relation of older rows: those that the load neither replaces nor drops."""
        if not self.changing:
            return ""
        self.superseded()
        return f"ANTI JOIN last_moves USING ({listed(self._key)})"

    def superseded(self) -> Numbers:
        """The rows of the source that a later change of the load replaces, by their numbers, sorted."""
        if not self.changing:
            return np.empty(0, np.int64)
        if not self._settled:
            key = listed(self._key)
            self._sql.execute(
                "CREATE TABLE last_moves AS SELECT * FROM moves QUALIFY "
                f"row_number() OVER (PARTITION BY {key} ORDER BY turn DESC) = 1"
            )
            self._settled = True
        query = "SELECT number FROM moves ANTI JOIN last_moves USING (turn) WHERE NOT dropped ORDER BY number"
        return self._numbers(query)

    def replaced(self, path: Path) -> Numbers:
        """The rows of a Parquet file of older rows that the load replaces or drops, by their numbers in it, sorted."""
        if not self.changing:
            return np.empty(0, np.int64)
        self.superseded()
        found, first = [], 0
        for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(columns=list(self._key)):
            rows = pa.Table.from_batches([batch])
            numbers = pa.array(np.arange(first, first + rows.num_rows))
            self._sql.register("older", rows.append_column(_NUMBER, numbers))
            query = f"SELECT {_NUMBER} FROM older SEMI JOIN last_moves USING ({listed(self._key)}) ORDER BY {_NUMBER}"
            found.append(self._numbers(query))
            self._sql.unregister("older")
            first += rows.num_rows
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def repeats(self, good: Mapping[Origin, Parts], stored: ds.Dataset | None) -> Iterator[tuple[Origin, Repeats]]:
        """Good rows that repeat an earlier good one, or one of ``stored``; in every file that has any."""
        self._sql.execute("CREATE OR REPLACE TABLE gone (origin VARCHAR, number BIGINT)")
        self._sql.register("numbers", pa.table({"number": pa.array(self.superseded())}))
        self._sql.execute(f"INSERT INTO gone SELECT {literal(Origin.SOURCE)}, number FROM numbers")
        self._sql.unregister("numbers")
        self._sql.execute("CREATE OR REPLACE TABLE repeated (rule INTEGER, origin VARCHAR, number BIGINT)")
        if stored is not None:
            self._sql.register("stored_rows", stored)
        for number, unique in enumerate(self._uniques):
            self._find(number, unique, good, stored is not None)
        for origin, parts in good.items():
            for first, part in parts.numbered():
                inside = f"origin = {literal(origin)} AND number >= {first} AND number < {first + part.rows}"
                numbers = self._numbers(f"SELECT DISTINCT number FROM repeated WHERE {inside} ORDER BY number")
                if len(numbers):
                    yield origin, Repeats(part, numbers, self._explain(origin, part, first, numbers))

    def _find(self, number: int, unique: Unique, good: Mapping[Origin, Parts], stored: bool) -> None:
        columns, live = listed(unique.columns), f"(FROM hashes_{number} ANTI JOIN gone USING (origin, number))"
        older = ""
        if stored:
            self._sql.execute(
                f"CREATE OR REPLACE TABLE older_keys AS SELECT {columns}, {_hash(unique)} AS hash "
                f"FROM stored_rows {self.unchanged} WHERE hash IN (SELECT hash FROM {live})"
            )
            older = " UNION SELECT hash FROM older_keys"
        self._sql.execute(
            f"CREATE OR REPLACE TABLE suspects AS SELECT hash FROM {live} GROUP BY hash HAVING count(*) > 1{older}"
        )
        if not self._sql.sql("SELECT 1 FROM suspects LIMIT 1").fetchall():
            return
        self._sql.execute("DROP TABLE IF EXISTS alike")
        for origin, parts in good.items():
            for first, part in parts.numbered():
                self._collect(unique, origin, first, part)
        again = f"row_number() OVER (PARTITION BY {columns} ORDER BY origin, number) > 1"
        if stored:
            same = " AND ".join(f"older.{quoted(name)} = alike.{quoted(name)}" for name in unique.columns)
            again = f"({again} OR EXISTS (SELECT 1 FROM older_keys AS older WHERE {same}))"
        self._sql.execute(
            f"INSERT INTO repeated SELECT {number}, origin, number "
            f"FROM (SELECT *, {again} AS again FROM alike) WHERE again"
        )

    def _collect(self, unique: Unique, origin: Origin, first: int, part: Part) -> None:
        """Add the rows of a file whose hash is suspect to ``alike``, with their values."""
        if not _has(pq.read_schema(part.path), unique):
            return
        rows = pq.read_table(part.path, columns=list(unique.columns))
        rows = rows.append_column("number", pa.array(np.arange(first, first + rows.num_rows)))
        self._sql.register("rows", rows)
        chosen = (
            f"SELECT {literal(origin)} AS origin, number, {listed(unique.columns)} FROM rows WHERE {_present(unique)} "
            f"AND {_hash(unique)} IN (SELECT hash FROM suspects)"
        )
        self._sql.execute(f"CREATE TABLE IF NOT EXISTS alike AS {chosen} LIMIT 0")
        self._sql.execute(
            f"INSERT INTO alike SELECT chosen.* FROM ({chosen}) AS chosen ANTI JOIN gone USING (origin, number)"
        )
        self._sql.unregister("rows")

    def _explain(self, origin: Origin, part: Part, first: int, numbers: Numbers) -> Bad:
        rows = pq.read_table(part.path).take(pa.array(numbers - first)).combine_chunks()
        texts = pa.table({name: as_text(rows.column(name).combine_chunks()) for name in rows.column_names})
        self._sql.register("texts", texts.append_column(_NUMBER, pa.array(numbers)))
        raw = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in texts.column_names)
        reasons = ", ".join(
            f"CASE WHEN {_NUMBER} IN (SELECT number FROM repeated WHERE rule = {rule} AND origin = {literal(origin)}) "
            f"THEN {literal(f'{unique.label}: ')} || {shown(unique.columns)} || ' stands in an earlier row' END"
            for rule, unique in enumerate(self._uniques)
            if _has(texts.schema, unique)
        )
        found = self._sql.sql(
            f"SELECT CAST(to_json({RAW}) AS VARCHAR) AS raw, concat_ws({SEPARATOR}, {reasons}) AS reasons "
            f"FROM (SELECT {_NUMBER}, struct_pack({raw}) AS {RAW} FROM texts) ORDER BY {_NUMBER}"
        ).to_arrow_table()
        self._sql.unregister("texts")
        return Bad(numbers - first, found.column(0).combine_chunks(), found.column(1).combine_chunks())

    def _numbers(self, query: str) -> Numbers:
        """The only column of the answer."""
        return np.asarray(self._sql.sql(query).to_arrow_table().column(0), np.int64)

    def _move(self, dropped: bool) -> None:
        chosen = (
            f"SELECT {self._turn} + row_number() OVER () AS turn, {str(dropped).lower()} AS dropped, "
            f"{_NUMBER} AS number, {listed(self._key)} FROM rows"
        )
        self._sql.execute(f"CREATE TABLE IF NOT EXISTS moves AS {chosen} LIMIT 0")
        self._sql.execute(f"INSERT INTO moves {chosen}")
        row = self._sql.execute("SELECT count(*) FROM rows").fetchone()
        assert row is not None
        self._turn += row[0]
        self.changing = True

    def _require_key(self) -> None:
        if not self._key:
            raise InvalidInput(
                "contract_key_missing",
                "the source changes rows that were loaded before, and the contract does not say what names a row",
                where="contract",
                hint="set `key: [COLUMN, ...]` in the source's contract",
            )


def _hash(unique: Unique) -> str:
    return f"hash({listed(unique.columns)})"


def _present(unique: Unique) -> str:
    return " AND ".join(f"{quoted(name)} IS NOT NULL" for name in unique.columns)


def _has(schema: pa.Schema, unique: Unique) -> bool:
    return set(unique.columns) <= set(schema.names)
