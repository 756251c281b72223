"""Slots at the server, which keep its log for us.

The log is looked at (``peek``), never consumed, until ``advance`` gives up what stands in our table. A place in the log
is an LSN, here a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg

from drivetrain.connect.databases.database import Database
from drivetrain.core.errors import Forbidden, Refused, Transient
from drivetrain.core.sources.databases import CdcSource
from drivetrain.ingest.replication.publication import quoted

_PEEK = (
    "pg_logical_slot_peek_binary_changes('{slot}', {until}, {most}, 'proto_version', '1', 'publication_names', {names})"
)
# Inserts, updates and deletes of our table; T: truncates, which name several tables.
_WAITING = """
WITH said AS MATERIALIZED (SELECT lsn, xid, data, get_byte(data, 0) AS kind FROM {peek})
SELECT count(*), count(*) FILTER (WHERE kind = 84) FROM said
WHERE (kind IN (73, 85, 68) AND substring(data FROM 2 FOR 4) = '\\x{table:08x}'
       OR kind = 84 AND position('\\x{table:08x}'::bytea IN substring(data FROM 7)) > 0)
  AND xid::text NOT IN (SELECT xid::text FROM said WHERE kind = 67 AND lsn <= '{after}')
"""


@dataclass(frozen=True)
class Moment:
    """A place in the log, the snapshot of just that moment, and the temporary slot that keeps the log from there on."""

    at: int
    snapshot: str
    slot: str


@dataclass(frozen=True)
class Slot:
    """A slot: its name, up to where its changes were given up, and whether the log behind it was removed."""

    name: str
    flushed: int
    lost: bool


@dataclass(frozen=True)
class Span:
    """The changes of a table that a slot has: those committed after a place, until another (0: the end).

    With ``most`` it ends with the transaction that holds about that many changes.
    """

    slot: str
    table: int
    after: int = 0
    until: int = 0
    most: int = 0


@dataclass(frozen=True)
class Waiting:
    """How many changes wait, and how many of them are truncates."""

    changes: int
    truncates: int


class Slots:
    """The slots of a source."""

    def __init__(self, spec: CdcSource, database: Database) -> None:
        self._spec, self._database = spec, database

    @contextmanager
    def moment(self) -> Iterator[Moment]:
        """A moment that can be read while it is open. Waits for the transactions that write now.

        Raises Transient when they do not end, and Refused where the user or the server may not.
        """
        name = f"{self._spec.slot_prefix[:50]}{uuid4().hex[:8]}_now"
        with ExitStack() as held:
            with self._let_in():
                session = held.enter_context(self._database.session(replication=True))
            session.execute(f"SET lock_timeout = {round(self._spec.timeout_seconds * 1000)}")
            with self._explained():
                command = f'CREATE_REPLICATION_SLOT "{name}" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT'
                row = session.execute(command).fetchone()
            assert row is not None
            yield Moment(lsn_of(str(row[1])), str(row[2]), name)

    def new_name(self) -> str:
        """A name that no slot has or ever had."""
        return f"{self._spec.slot_prefix}{uuid4().hex[:8]}"

    def keep(self, moment: Moment, name: str) -> None:
        """Make a slot that outlasts the moment and goes on from it."""
        with self._database.session() as session, self._explained():
            session.execute("SELECT pg_copy_logical_replication_slot(%s, %s, false)", (moment.slot, name))

    def find(self, session: psycopg.Connection, name: str = "") -> tuple[Slot, ...]:
        """The slot of that name, or all whose names are like those of ours."""
        rows = session.execute(
            "SELECT slot_name, coalesce(confirmed_flush_lsn, '0/0') - '0/0', coalesce(wal_status, 'lost') = 'lost' "
            "FROM pg_replication_slots WHERE slot_name ~ %s AND database = current_database() ORDER BY slot_name",
            (f"^{name}$" if name else f"^{self._spec.slot_prefix}[0-9a-f]{{8}}$",),
        )
        return tuple(Slot(name, int(at), lost) for name, at, lost in rows)

    def drop(self, name: str) -> None:
        """Let the log go, where there is such a slot."""
        with self._database.session() as session, self._explained():
            session.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (name,)
            )

    def advance(self, session: psycopg.Connection, name: str, to: int) -> None:
        """Give up the changes before that place, where the slot still has them."""
        with self._explained():
            session.execute(
                "SELECT pg_replication_slot_advance(slot_name, %s::pg_lsn) FROM pg_replication_slots "
                "WHERE slot_name = %s AND confirmed_flush_lsn < %s::pg_lsn AND wal_status <> 'lost'",
                (lsn(to), name, lsn(to)),
            )

    def waiting(self, session: psycopg.Connection, span: Span) -> Waiting:
        """What waits in the span. Raises Refused when its changes cannot be told any more."""
        text = _WAITING.format(peek=self._peek(span), table=span.table, after=lsn(span.after))
        with self._explained():
            row = session.execute(text).fetchone()
        assert row is not None
        return Waiting(*row)

    def messages(self, session: psycopg.Connection, span: Span) -> Iterator[bytes]:
        """The log, whole transactions in the order of their commits; it begins where the slot does. Raises Refused."""
        query = f"COPY (SELECT data FROM {self._peek(span)}) TO STDOUT (FORMAT binary)"
        with self._explained(), session.cursor() as cursor, cursor.copy(query) as copy:
            copy.set_types(["bytea"])
            for (message,) in copy.rows():
                yield message

    def _peek(self, span: Span) -> str:
        until = f"'{lsn(span.until)}'" if span.until else "NULL"
        names = "'" + quoted(self._spec.publication_name).replace("'", "''") + "'"
        return _PEEK.format(slot=span.slot, until=until, most=span.most or "NULL", names=names)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        where = self._spec.table
        try:
            yield
        except psycopg.errors.InsufficientPrivilege:
            raise _forbidden(where) from None
        except psycopg.errors.ConfigurationLimitExceeded as error:
            hint = "raise max_replication_slots and max_wal_senders, or drop slots that nobody reads any more"
            raise Refused("cdc_server", str(error).partition("\n")[0], where=where, hint=hint) from None
        except psycopg.errors.LockNotAvailable:
            hint = "which: SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL"
            said = "transactions that began to write before us do not end"
            raise Transient("cdc_busy", said, where=where, hint=hint) from None
        except psycopg.errors.UndefinedObject as error:  # the publication was not there when a row was changed
            raise gap(str(error).partition("\n")[0], where) from None

    @contextmanager
    def _let_in(self) -> Iterator[None]:
        try:
            yield
        except Forbidden as error:
            if error.code == "sql_permission_denied":
                raise _forbidden(self._spec.table) from None
            raise


def gap(why: str, where: str) -> Refused:
    """The changes after the last load cannot be had."""
    hint = "set `gaps: snapshot` on the source and load: the table is read whole anew; then take it out again"
    return Refused("cdc_gap", f"changes since the last load are lost: {why}", where=where, hint=hint)


def _forbidden(where: str) -> Refused:
    hint = "ALTER ROLE ... REPLICATION (or what your cloud has for it, such as GRANT rds_replication), and GRANT SELECT"
    return Refused("cdc_forbidden", "this user may not read the server's log", where=where, hint=hint)


def lsn(place: int) -> str:
    """A place in the log as PostgreSQL writes it."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def lsn_of(text: str) -> int:
    """The place that PostgreSQL wrote so."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
