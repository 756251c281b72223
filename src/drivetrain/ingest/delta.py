"""The kind ``delta``: a table of a lake by version. Its commits say whether rows were added or the table rewritten.

- Commits that only add files: their rows. Commits that only rewrite files without changing rows (OPTIMIZE): nothing.
- Anything else (MERGE, DELETE, UPDATE, overwrite, an older version), or a log that is no longer there: the whole table
  in place of what was loaded, which takes a contract with a key; else it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec
import pyarrow as pa

from drivetrain.connect.afar.address import parse_address
from drivetrain.connect.afar.buckets import store_options
from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.core.sources.lakes import DeltaSource
from drivetrain.ingest.delta_table import DataFile, LakeTable
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.files.batches import Change
from drivetrain.store.files.parquet import typed_batch


@dataclass(frozen=True)
class Cursor:
    """The table's id, and the version that was loaded."""

    table: str
    version: int


@dataclass(frozen=True)
class Plan:
    """What is read: these files, or with None a scan of the table; and what the rows do."""

    files: list[DataFile] | None
    change: Change


class DeltaReader:
    """A Reader of a Delta table."""

    def __init__(self, spec: DeltaSource, place: Place) -> None:
        self._spec, self._place = spec, place

    def discover(self) -> tuple[Portion, ...]:
        """The table, with the size of its files in bytes. Raises NotFound, Forbidden, Refused and Transient."""
        return (Portion(self._spec.path, sum(file.size for file in self._open().files())),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What is new since the version of the cursor, up to the newest one or the one that the source names.

        Raises what ``discover`` raises, and Refused when rows were changed and the contract has no key.
        """
        table = self._open()
        here = Cursor(table.id, table.version)
        told = read_json(cursor, Cursor) if cursor else None
        if told == here:
            return
        plan = self._plan(told, table)
        if plan.files == [] and plan.change is Change.ADD:
            return
        yield from self._batches(plan, table)
        yield Position(
            msgspec.json.encode(here).decode(),
            digest_of(here, plan.change, [(file.path, file.size) for file in plan.files or ()]),
        )

    def commit(self, cursor: str) -> None:
        """The table stays as it is."""

    def _open(self) -> LakeTable:
        spec, options = self._spec, {}
        if spec.is_afar:
            options = store_options(parse_address(spec.path), spec.storage, self._place.secrets)
            options |= {"allow_http": str(spec.storage.allow_http).lower(), "timeout": "60s", "connect_timeout": "10s"}
            options["retry_timeout"] = f"{spec.storage.patience_seconds}s"
        uri = spec.path if spec.is_afar else str(self._place.home / spec.path)
        return LakeTable(uri, f"delta {spec.path}", options, spec.version)

    def _plan(self, told: Cursor | None, table: LakeTable) -> Plan:
        if told is None:
            return Plan(table.files() if table.is_files else None, Change.ADD)
        if told.table != table.id:
            found: list[DataFile] | str = "the table was deleted and made anew"
        elif told.version > table.version:
            found = f"version {told.version} was loaded before, and {table.version} is older"
        elif not table.is_files:
            found = "it has deletion vectors or mapped columns, which only a whole reading resolves"
        else:
            found = table.added_since(told.version)
        if isinstance(found, list):
            return Plan(found, Change.ADD)
        if self._spec.contract.key:
            return Plan(table.files() if table.is_files else None, Change.WHOLE)
        raise Refused(
            "delta_rewritten",
            f"what is new cannot be added to what was loaded: {found}",
            where=f"delta {self._spec.path}",
            hint="give the contract a `key`: then the whole table takes the place of what was loaded; or give the "
            "source a new name to load it from the start",
        )

    def _batches(self, plan: Plan, table: LakeTable) -> Iterator[Batch]:
        known = sum(file.size for file in table.files())
        passed, count = known - sum(file.size for file in plan.files or ()), 0
        for portion, size, rows in self._portions(plan, table):
            number = 0
            for batch in rows:
                yield replace(typed_batch(portion, batch, number, passed), change=plan.change)
                number += batch.num_rows
            passed, count = passed + size, count + number
        if not count and plan.change is Change.WHOLE:
            raise Refused(
                "delta_rewritten",
                "the table holds no row any more; what was loaded stays",
                where=f"delta {self._spec.path}",
                hint="find out why; if it is meant, load the table under a new source name",
            )
        if not count:  # an empty table says of its columns at least
            empty = pa.RecordBatch.from_pylist([], schema=table.schema)
            yield replace(typed_batch(self._spec.path, empty, 0, known), change=plan.change)

    def _portions(self, plan: Plan, table: LakeTable) -> Iterator[tuple[str, int, Iterator[pa.RecordBatch]]]:
        if plan.files is None:
            yield self._spec.path, 0, table.scan()
        for file in plan.files or ():
            yield f"{self._spec.path}/{file.path}", file.size, table.rows(file)
