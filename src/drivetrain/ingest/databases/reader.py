"""The Reader of a relation, by mode.

- ``append``: rows after the last value of the cursor are new.
- ``incremental``: they stand in place of the rows with the same key; deleted ones go.
- ``whole``: the relation as it is; what is not in it any more goes.

A load by ``cursor`` ends at the highest value that was there when it began. A whole relation is read in one snapshot,
and has no Position when it is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.connect.databases.database import Database, Look
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.sources.databases import SqlSource
from drivetrain.ingest.databases.columns import GONE, declared, finished
from drivetrain.ingest.databases.content import Content
from drivetrain.ingest.databases.fetching import fetch
from drivetrain.ingest.databases.marks import Mark, Memory, mark_of, not_before
from drivetrain.ingest.databases.planning import Plan, plan
from drivetrain.ingest.databases.pulling import pull
from drivetrain.ingest.databases.relation import Relation, see, size
from drivetrain.ingest.databases.side_by_side import ranges, side_by_side
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.files.batches import Change


class RelationReader:
    """A Reader of one relation of one database."""

    def __init__(self, spec: SqlSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._database = Database(spec, place)
        self._name = spec.table or "query"

    def discover(self) -> tuple[Portion, ...]:
        """The relation. Raises NotFound where it is not there, Transient where the server is not."""
        return retrying(self._discover, self._spec.retry_seconds)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows after the cursor; see the module's text."""
        mark = read_json(cursor, Mark) if cursor else None
        if mark is not None and mark.column != (self._spec.cursor or ""):
            raise Refused(
                "sql_cursor_changed",
                f"the rows so far were read by {mark.column or 'comparing all rows'}, not by "
                f"{self._spec.cursor or 'comparing all rows'}",
                where=self._name,
                hint="put `cursor` back, or give the source a new name to load it from the start",
            )
        yield from (self._read_whole(mark) if self._spec.way == "whole" else self._read_after(mark))

    def commit(self, cursor: str) -> None:
        """Rows stay where they are."""

    def _discover(self) -> tuple[Portion, ...]:
        with self._database.look() as look:
            see(look, self._spec)
            return (Portion(self._name, size(look, self._spec)),)

    def _read_whole(self, mark: Mark | None) -> Iterator[Batch | Position]:
        content = Content()
        with ExitStack() as held:
            look = retrying(lambda: held.enter_context(self._database.look()), self._spec.retry_seconds)
            relation = see(look, self._spec)
            for rows in self._whole(look, relation):
                yield self._batch(relation, rows, _numbers(content.rows, rows.num_rows), Change.WHOLE)
                content.add(rows)
        if mark is not None and not content.rows:
            raise InvalidInput(
                "no_rows",
                f"there is not one row any more, there were {mark.rows:,}; the dataset stays as it is",
                where=self._database.where,
                hint="is the table being filled anew? then run the same command again",
            )
        if content.rows and (mark is None or mark.digest != content.digest):
            yield Position(_text(Mark(rows=content.rows, digest=content.digest)), content.digest)

    def _whole(self, look: Look, relation: Relation) -> Iterator[pa.Table]:
        casting, spec = look.family == "postgresql", self._spec
        statements = [relation.rows(part, (), casting=casting) for part in ranges(look, relation, ())]
        streams = [fetch(self._database, statement, relation.travelling, look.snapshot) for statement in statements]
        for rows in side_by_side(streams):
            there = rows.filter(pcompute.equal(rows.column(GONE), 0)) if spec.deleted else rows
            yield finished(there, relation.fields, spec.time_zone)

    def _read_after(self, mark: Mark | None) -> Iterator[Batch | Position]:
        plan = retrying(lambda: self._plan(mark), self._spec.retry_seconds)
        if plan is None:
            return
        first = passed = mark.rows if mark else 0
        near, content = Memory(plan.identity), Content()
        for pulled in side_by_side([pull(self._database, plan.relation, span) for span in plan.spans]):
            near.add(pulled.rows.filter(not_before(pulled.rows, plan.near_from)))
            rows = pulled.rows.filter(pulled.fresh)
            if rows.num_rows:
                content.add(rows)
                yield from self._batches(plan.relation, rows, passed)
                passed += rows.num_rows
        if passed > first:
            said = mark_of(self._spec.cursor or "", plan.high, near)
            yield Position(_text(replace(said, rows=passed)), content.digest)

    def _plan(self, mark: Mark | None) -> Plan | None:
        with self._database.look() as look:
            return plan(look, see(look, self._spec), mark, self._database.where)

    def _batches(self, relation: Relation, rows: pa.Table, passed: int) -> Iterator[Batch]:
        """The rows as they change the table; where some are deleted, only the last of each key."""
        numbers = _numbers(passed, rows.num_rows)
        finish = partial(finished, fields=relation.fields, time_zone=self._spec.time_zone)
        if self._spec.way == "append":
            yield self._batch(relation, finish(rows), numbers, Change.ADD)
            return
        gone = pcompute.equal(rows.column(GONE), 1) if self._spec.deleted else None
        if gone is None or not pcompute.any(gone).as_py():
            yield self._batch(relation, finish(rows), numbers, Change.PUT)
            return
        last = _last_of_each(rows, self._spec.contract.key)
        for change, chosen in ((Change.PUT, pcompute.invert(gone)), (Change.DROP, gone)):
            places = pcompute.indices_nonzero(pcompute.and_(last, chosen))
            if len(places):
                yield self._batch(relation, finish(rows.take(places)), numbers.take(places), change)

    def _batch(self, relation: Relation, rows: pa.Table, numbers: pa.Int64Array, change: Change) -> Batch:
        done = numbers[-1].as_py() if len(numbers) else 0
        return Batch(self._name, rows, numbers, declared=declared(relation.fields), done=done, change=change)


def _numbers(passed: int, count: int) -> pa.Int64Array:
    return pa.array(np.arange(passed + 1, passed + 1 + count))


def _last_of_each(rows: pa.Table, key: tuple[str, ...]) -> pa.ChunkedArray:
    """Whether a row is the last of its key."""
    places = pa.array(np.arange(rows.num_rows))
    last = rows.select(list(key)).append_column("place", places).group_by(list(key)).aggregate([("place", "max")])
    return pcompute.is_in(places, last.column("place_max"))


def _text(mark: Mark) -> str:
    return msgspec.json.encode(mark).decode()
