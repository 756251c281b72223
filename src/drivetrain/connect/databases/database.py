"""Connections to a database that only read: one snapshot, a time limit for statements, credentials looked up anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from drivetrain.connect.databases.faults import explained
from drivetrain.connect.databases.server import CONNECT_SECONDS, Server
from drivetrain.connect.databases.statements import Statement, inline, parametrised
from drivetrain.connect.place import Place
from drivetrain.core.sources.databases import SqlSource

_ARROW_BYTES = 8 << 20
_AS_TEXT = ("TimeZone = 'UTC'", "DateStyle = 'ISO'", "bytea_output = 'hex'", "extra_float_digits = 1")


@dataclass(frozen=True)
class Look:
    """A read-only snapshot of a database. ``snapshot`` is its name where other connections can share it."""

    connection: sa.Connection
    family: str
    snapshot: str = ""

    def ask(self, statement: Statement) -> list[tuple[object, ...]]:
        """The few rows that the statement gives."""
        return [tuple(row) for row in self.run(statement)]

    def run(self, statement: Statement, *, rows_at_once: int = 0) -> sa.CursorResult[tuple[object, ...]]:
        """The statement under way; with ``rows_at_once`` its rows wait at the server until they are fetched."""
        options: dict[str, object] = {"no_parameters": self.family == "postgresql"}
        if rows_at_once:
            options |= {"stream_results": True, "max_row_buffer": rows_at_once}
        connection = self.connection.execution_options(**options)
        if self.family == "postgresql":
            return connection.exec_driver_sql(inline(statement))
        return connection.execute(parametrised(statement))


class Database:
    """The database of a source. Connects anew for whatever it is asked."""

    def __init__(self, spec: SqlSource, place: Place) -> None:
        self._spec = spec
        self._server = Server(spec, place, spec.table or "query")
        self.family, self.where = self._server.family, self._server.where

    @contextmanager
    def look(self) -> Iterator[Look]:
        """A read-only snapshot, open while it is used. Raises as ``explained`` explains."""
        connection, password = self._server.logged_in(lambda url: self._server.connect(url, "ro"))
        with explained(self.where, password), connection:
            yield Look(connection, self.family, self._begin(connection))

    @contextmanager
    def arrow(self, snapshot: str = "") -> Iterator[adbc.Cursor]:
        """A cursor that gives Arrow, in that snapshot or one of its own; PostgreSQL only. Raises as look."""
        connection, password = self._server.logged_in(lambda url: adbc.connect(_libpq(url)))
        with explained(self.where, password), connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if snapshot:
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            for setting in self._settings():
                cursor.execute(setting)
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_ARROW_BYTES)})
            yield cursor

    @contextmanager
    def session(self, *, replication: bool = False) -> Iterator[psycopg.Connection]:
        """A connection without a transaction, for what is no reading of a relation; PostgreSQL only. Raises as look.

        With ``replication`` it takes commands of replication.
        """
        kind = {"replication": "database"} if replication else {}
        connection, password = self._server.logged_in(lambda url: psycopg.connect(_libpq(url, kind), autocommit=True))
        with explained(self.where, password), connection:
            for setting in (*_AS_TEXT, f"statement_timeout = {self._milliseconds}"):
                connection.execute(f"SET {setting}")
            yield connection

    @property
    def _milliseconds(self) -> int:
        return round(self._spec.timeout_seconds * 1000)

    def _settings(self) -> tuple[str, ...]:
        return (
            f"SET LOCAL statement_timeout = {self._milliseconds}",
            "SET LOCAL TimeZone = 'UTC'",
            "SET LOCAL DateStyle = 'ISO'",
            "SET LOCAL standard_conforming_strings = on",
        )

    def _begin(self, connection: sa.Connection) -> str:
        """Begin the snapshot; gives its name. Dialects we do not know begin what their driver begins."""
        run, seconds = connection.exec_driver_sql, self._spec.timeout_seconds
        if self.family == "postgresql":
            run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for setting in self._settings():
                run(setting)
            return str(run("SELECT pg_export_snapshot()").scalar_one())
        if self.family == "mysql":
            maria = getattr(connection.dialect, "is_mariadb", False)
            limit = f"max_statement_time={seconds}" if maria else f"max_execution_time={seconds * 1000:.0f}"
            run(f"SET SESSION {limit}")
            run("SET SESSION time_zone = '+00:00'")
            run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        if self.family == "sqlite":
            over, driver = monotonic() + seconds, connection.connection.driver_connection
            assert driver is not None
            driver.set_progress_handler(lambda: monotonic() > over, 10_000)
            run("BEGIN")
        return ""


def _libpq(url: sa.URL, more: Mapping[str, str] | None = None) -> str:
    _, options = url.get_dialect()().create_connect_args(url)
    return make_conninfo("", **{**options, "connect_timeout": CONNECT_SECONDS, **(more or {})})
