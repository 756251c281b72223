"""The Reader of the changes of a table.

The first load makes a temporary slot, which gives a place in the server's log and the snapshot of just that moment.
It reads the table in that snapshot, and leaves a lasting slot that goes on from the same place: there is neither a gap
nor an overlap. Later loads look at the changes that were committed since, and give them up at the server once they
stand in the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from time import monotonic

import msgspec
import numpy as np
import psycopg
import pyarrow as pa

from drivetrain.connect.databases.database import Database
from drivetrain.connect.databases.faults import explained
from drivetrain.connect.databases.statements import Statement
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import DrivetrainError, Refused
from drivetrain.core.sources.databases import CdcSource
from drivetrain.ingest.databases.columns import declared, finished
from drivetrain.ingest.databases.content import Content
from drivetrain.ingest.databases.fetching import fetch
from drivetrain.ingest.databases.relation import Relation, see
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.replication.changes import Changes
from drivetrain.ingest.replication.note import Note
from drivetrain.ingest.replication.publication import Published, published, quoted
from drivetrain.ingest.replication.slot import Moment, Slots, Span, gap, lsn, lsn_of
from drivetrain.store.files.batches import Change

_COUNTED = 100_000
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Cursor:
    """Up to where the changes were read (``lsn``), by which slot, of which table of which server.

    ``rows`` were read since the table was read whole; ``replaces`` is a slot that is needed no more.
    """

    slot: str
    lsn: str
    rows: int
    table: int
    since: int
    system: str
    replaces: str = ""

    @property
    def at(self) -> int:
        """The place in the log."""
        return lsn_of(self.lsn)


@dataclass(frozen=True)
class Plan:
    """What a load reads: ``span`` (None: the whole table); why changes are lost, if they are."""

    table: Published
    span: Span | None = None
    truncated: bool = False
    lost: str = ""


class TableReader:
    """A Reader of one table and its changes, and a Waiter."""

    def __init__(self, spec: CdcSource, place: Place) -> None:
        self._spec = spec
        self._database = Database(spec.relation, place)
        self._slots, self._note = Slots(spec, self._database), Note(spec, place)
        self._told: Cursor | None = None
        self._reached: Cursor | None = None
        self._was_read = False
        self._made = ""
        self._seen = 0
        self._open = ExitStack()
        self._session: psycopg.Connection | None = None

    def discover(self) -> tuple[Portion, ...]:
        """The table with its rows, and slots like ours with the changes that wait; once loaded, only what waits.

        Raises NotFound, Refused and Transient.
        """
        return retrying(self._discover, self._spec.retry_seconds)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The whole table, or the changes after the cursor; see the module's text.

        Raises what ``discover`` raises, and Refused when changes after the cursor are lost.
        """
        told = read_json(cursor, Cursor) if cursor else None
        plan = retrying(lambda: self._plan(told), self._spec.retry_seconds)
        if plan.lost and self._spec.gaps == "refuse":
            raise gap(plan.lost, self._spec.table)
        self._reached, self._was_read = told, True
        if told is not None and plan.span is not None:
            yield from self._changes(told, plan.table, plan.span)
        elif told is None or plan.lost or plan.truncated:
            yield from self._whole(told, plan)

    def commit(self, cursor: str) -> None:
        """Let the server forget the changes before the cursor."""
        if cursor:
            self._told = read_json(cursor, Cursor)
            retrying(partial(self._give_up, self._told), self._spec.retry_seconds)

    def wait(self, seconds: float) -> bool:
        """Whether something was changed since the last reading. True before the first."""
        over = monotonic() + seconds
        while self._was_read and not self._is_something_new():
            if monotonic() >= over:
                return False
            Event().wait(max(0.0, min(_LOOK_SECONDS, over - monotonic())))
        return True

    def lag(self) -> int:
        """How many changes wait after what was read last; counting ends at about 100,000."""
        told = self._reached
        if told is None:
            return 0
        with self._database.session() as session:
            return self._slots.waiting(session, Span(told.slot, told.table, told.at, most=_COUNTED)).changes

    def close(self) -> None:
        """Let go of the connection, and of a slot that was made for a load that did not come about."""
        self._hang_up()
        if self._made:
            with suppress(DrivetrainError):  # the next load tries it again
                self._drop_unclaimed()

    # --- what there is ------------------------------------------------------------------------------------------

    def _discover(self) -> tuple[Portion, ...]:
        name, told = self._spec.table, self._told
        with self._database.session() as session:
            table = published(session, self._spec, make=False)
            if told is not None:
                return (Portion(f"{name}, changes", self._count(session, told.slot, table, told.at)),)
            slots = [
                Portion(f"slot {one.name}{' (lost)' if one.lost else ''}", self._count(session, one.name, table))
                for one in self._slots.find(session)
            ]
        return (Portion(name, table.size), *slots)

    def _count(self, session: psycopg.Connection, slot: str, table: Published, after: int = 0) -> int:
        """The changes that wait; 0 for a slot that cannot say, as when another reads from it."""
        with suppress(psycopg.Error, Refused):
            return self._slots.waiting(session, Span(slot, table.table, after, most=_COUNTED)).changes
        return 0

    def _plan(self, told: Cursor | None) -> Plan:
        with self._database.session() as session:
            table = published(session, self._spec, make=True)
            if told is None:
                return Plan(table)
            lost = self._lost(session, told, table)
            if lost:
                return Plan(table, lost=lost)
            span = Span(told.slot, table.table, told.at, table.end, self._spec.max_changes or 0)
            waiting = self._slots.waiting(session, span)
            if span.most and not waiting.changes:  # they may have been used up by other tables
                span = replace(span, most=0)
                waiting = self._slots.waiting(session, span)
            if not waiting.changes:
                self._pass_over(session, told, table.end)
                return Plan(table)
            return Plan(table, None if waiting.truncates else span, truncated=waiting.truncates > 0)

    def _lost(self, session: psycopg.Connection, told: Cursor, table: Published) -> str:
        """Why the changes after the cursor cannot be had; empty when they can."""
        slot = next(iter(self._slots.find(session, told.slot)), None)
        memory = self._note.read()
        passed = memory.passed if memory.cursor == told.at else 0
        reasons = {
            "this is another server than the one of the last load": table.system != told.system,
            "the table was dropped and made anew": table.table != told.table,
            "the publication was made anew, or publishes other columns or rows": table.since != told.since,
            "the server's log ends before the last load: it was restored from a backup": table.end < told.at,
            f"the slot {told.slot} is not there any more": slot is None,
            f"the log behind the slot {told.slot} was removed (max_slot_wal_keep_size)": slot and slot.lost,
            f"the slot {told.slot} is further than the last load": slot and slot.flushed > max(told.at, passed),
        }
        return next((reason for reason, is_so in reasons.items() if is_so), "")

    def _is_something_new(self) -> bool:
        """Asks over a connection that stays open."""
        try:
            with explained(self._database.where):
                return self._look()
        except DrivetrainError:
            self._hang_up()
            raise

    def _look(self) -> bool:
        if self._session is None:
            self._session = self._open.enter_context(self._database.session())
        session, told = self._session, self._reached
        if told is None:
            table = ".".join(quoted(part) for part in self._spec.table.split("."))
            return session.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
        row = session.execute("SELECT pg_current_wal_flush_lsn() - '0/0'").fetchone()
        end = int(row[0]) if row else 0
        if end <= self._seen:
            return False
        span = Span(told.slot, told.table, told.at, end)
        found = self._slots.waiting(session, span).changes > 0
        self._seen = self._seen if found else end
        return found

    # --- what is read -------------------------------------------------------------------------------------------

    def _whole(self, told: Cursor | None, plan: Plan) -> Iterator[Batch | Position]:
        """The table at one moment; nothing, when it was always empty."""
        table, spec, content = plan.table, self._spec, Content()
        with ExitStack() as held:
            moment = retrying(lambda: held.enter_context(self._slots.moment()), spec.retry_seconds)
            relation = self._relation(table)
            clauses: list[Statement] = [(f"({table.rows})",)] if table.rows else []
            statement = relation.rows(clauses, (), casting=True)
            for found in fetch(self._database, statement, relation.travelling, moment.snapshot):
                rows = finished(found, relation.fields, spec.time_zone)
                yield self._batch(relation, rows, content.rows)
                content.add(rows)
            if not content.rows:
                if told is None:
                    return
                yield self._batch(relation, _empty(relation), 0)
            slot = told.slot if told is not None and plan.truncated else self._lasting(moment)
        replaces = told.slot if told is not None and told.slot != slot else ""
        self._reached = Cursor(slot, lsn(moment.at), content.rows, table.table, table.since, table.system, replaces)
        yield Position(_text(self._reached), digest_of("whole", content.digest))

    def _changes(self, told: Cursor, table: Published, span: Span) -> Iterator[Batch | Position]:
        """The changes of the span; of the rest too, where all rows that these changed are gone by now."""
        changes, found = Changes(self._spec, self._database, table, told.at, told.rows), False
        with ExitStack() as held:
            session = retrying(lambda: held.enter_context(self._database.session()), self._spec.retry_seconds)
            for batch in changes.batches(self._slots.messages(session, span)):
                found = True
                yield batch
        if not found:
            if span.most:
                yield from self._changes(told, table, replace(span, most=0))
            return
        self._reached = replace(told, lsn=lsn(changes.end), rows=changes.rows, replaces="")
        yield Position(_text(self._reached), changes.digest)

    def _relation(self, table: Published) -> Relation:
        spec = self._spec.relation.model_copy(update={"columns": table.columns})
        with self._database.look() as look:
            return see(look, spec)

    def _batch(self, relation: Relation, rows: pa.Table, passed: int) -> Batch:
        numbers = pa.array(np.arange(passed + 1, passed + 1 + rows.num_rows))
        known = declared(relation.fields)
        done = passed + rows.num_rows
        return Batch(self._spec.table, rows, numbers, declared=known, done=done, change=Change.WHOLE)

    # --- what stays at the server -------------------------------------------------------------------------------

    def _lasting(self, moment: Moment) -> str:
        """A slot that goes on from the moment, and is dropped should no load come of it."""
        self._drop_unclaimed()
        self._made = self._slots.new_name()
        self._note.unclaimed(self._made)
        self._slots.keep(moment, self._made)
        return self._made

    def _drop_unclaimed(self) -> None:
        slot = self._note.read().unclaimed
        if slot:
            self._slots.drop(slot)
            self._note.unclaimed("")
        self._made = ""

    def _give_up(self, told: Cursor) -> None:
        with self._database.session() as session:
            self._slots.advance(session, told.slot, told.at)
        if told.replaces:
            self._slots.drop(told.replaces)
        if self._note.read().unclaimed == told.slot:
            self._note.unclaimed("")
        self._made = ""

    def _pass_over(self, session: psycopg.Connection, told: Cursor, end: int) -> None:
        """Nothing up to ``end`` is ours: let it go, else a table that rests would keep the server's log for ever."""
        (slot,) = self._slots.find(session, told.slot)
        if slot.flushed >= told.at:  # else the rows up to the cursor may not stand in the table yet
            self._note.passed(told.at, end)
            self._slots.advance(session, told.slot, end)

    def _hang_up(self) -> None:
        self._session = None
        self._open.close()


def _empty(relation: Relation) -> pa.Table:
    return pa.table({field.name: pa.array([], pa.string()) for field in relation.fields})


def _text(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()
