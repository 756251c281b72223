"""A table of a database that takes predictions.

Which keys are there already is asked first, in the words that every database knows; new rows are inserted, and with
``mode: upsert`` the others updated. The unique key of the table is what makes that hold when a connection breaks in the
middle of a commit. A parcel that the database refuses is parted until the rows at fault stand alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import pyarrow as pa
import sqlalchemy as sa

from drivetrain.connect.databases.faults import Fault, explained, fault_of
from drivetrain.connect.databases.server import FileMode, Server
from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Transient, examples
from drivetrain.core.outlets.databases import SqlOutlet
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.deliver.sql_columns import Row, column_of, rows_for

T = TypeVar("T")
_TAKEN = Receipt(taken=True)
_GRANT = "ask for GRANT SELECT, INSERT and UPDATE on the table, and in PostgreSQL USAGE ON SCHEMA"


class SqlTable:
    """An Outlet. Its connection stays until something goes wrong with it."""

    def __init__(self, spec: SqlOutlet, place: Place) -> None:
        self._spec = spec
        self._server = Server(spec, place, spec.table)
        self._connection: sa.Connection | None = None
        self._password = ""
        self._table: sa.Table | None = None

    def check(self) -> str:
        """See Outlet."""
        names = list(self._spec.columns)
        table = self._asked(lambda: self._looked_at(names))
        if table is None:
            return f"there is no table {self._spec.table} yet; the first delivery makes it"
        return f"table {table} with {len(table.columns)} columns, unique by {', '.join(self._spec.key)}"

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """See Outlet."""
        table = self._asked(lambda: self._ready(parcel.rows.schema))
        rows = rows_for(table, parcel.rows)
        receipts: dict[int, Receipt] = {}
        waiting = [range(len(rows))]
        while waiting:
            part = waiting.pop()
            said = self._write(table, [rows[number] for number in part])
            if said and len(part) > 1:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]  # the first half first: rows stay in their order
            else:
                receipts |= dict.fromkeys(part, Receipt(taken=False, said=said) if said else _TAKEN)
        return tuple(receipts[number] for number in range(len(rows)))

    def close(self) -> None:
        """See Outlet."""
        if self._connection is not None:
            with suppress(sa.exc.SQLAlchemyError):  # it may be broken already
                self._connection.close()
        self._connection = self._table = None

    def _write(self, table: sa.Table, rows: Sequence[Row]) -> str:
        """Write the rows in one transaction; why the database refuses them, empty when it took them."""
        try:
            self._guarded(lambda: self._put(table, rows))
        except _RowsRefused as refused:
            return refused.said
        return ""

    def _put(self, table: sa.Table, rows: Sequence[Row]) -> None:
        run, key = self._open().execute, self._spec.key
        there = self._there(table, rows)
        update = self._spec.mode == "upsert"
        # Of rows with the same key, the first stays where rows are inserted, and the last where they are updated.
        by_key = {_key(row, key): row for row in (rows if update else reversed(rows))}
        new = [row for name, row in by_key.items() if name not in there]
        if new:
            run(table.insert(), new)
        old = [row for name, row in by_key.items() if name in there] if update else []
        others = [name for name in (old[0] if old else ()) if name not in key]
        if others:
            mine = [table.c[name] == sa.bindparam(f"its_{name}") for name in key]
            values: dict[str, sa.BindParameter[object]] = {name: sa.bindparam(f"new_{name}") for name in others}
            named = [{f"{'its' if name in key else 'new'}_{name}": value for name, value in row.items()} for row in old]
            run(table.update().where(*mine).values(values), named)
        self._open().commit()

    def _there(self, table: sa.Table, rows: Iterable[Row]) -> set[tuple[str, ...]]:
        """The keys of these rows that the table has."""
        columns = [table.c[name] for name in self._spec.key]
        keys = [tuple(row[name] for name in self._spec.key) for row in rows]
        wanted = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else sa.tuple_(*columns).in_(keys)
        found = self._open().execute(sa.select(*columns).where(wanted))
        return {tuple(_told(value) for value in row) for row in found}

    def _ready(self, schema: pa.Schema) -> sa.Table:
        """The table, looked at once for each connection."""
        if self._table is None:
            found = self._looked_at(schema.names)
            self._table = self._make(schema) if found is None else found
        return self._table

    def _looked_at(self, names: Sequence[str]) -> sa.Table | None:
        table = self._find()
        if table is not None:
            self._examine(table, names)
        return table

    def _find(self) -> sa.Table | None:
        schema, _, name = self._spec.table.rpartition(".")
        try:
            return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=self._open())
        except sa.exc.NoSuchTableError:
            if self._spec.create:
                return None
            hint = "make the table, correct `table`, or let the outlet make it: `create: true`"
            raise NotFound("sql_table_unknown", "there is no such table", where=self._server.where, hint=hint) from None

    def _make(self, schema: pa.Schema) -> sa.Table:
        where, _, name = self._spec.table.rpartition(".")
        columns = [column_of(field, primary=field.name in self._spec.key) for field in schema]
        table = sa.Table(name, sa.MetaData(), *columns, schema=where or None)
        table.create(self._open())
        self._open().commit()
        return table

    def _examine(self, table: sa.Table, names: Sequence[str]) -> None:
        """Raise InvalidInput where no row could be taken, or one could be taken twice."""

        def wrong(said: str, hint: str) -> InvalidInput:
            return InvalidInput("outlet_table_unfit", said, where=self._server.where, hint=hint)

        if unknown := [name for name in (*names, *self._spec.key) if name not in table.columns]:
            raise wrong(
                f"the table has no column {examples(dict.fromkeys(unknown))}",
                f"name its columns in `columns`, or add them; it has {examples(table.columns.keys(), 20)}",
            )
        needed = [
            column.name for column in table.columns
            if not (column.nullable or column.server_default or column.identity or column.computed)
            and column is not table.autoincrement_column and column.name not in names
        ]  # fmt: skip
        if needed:
            raise wrong(f"column {examples(needed)} must have a value", "add it to `columns`, or give it a default")
        if not _is_unique(table, self._spec.key, self._open()):
            listed = ", ".join(self._spec.key)
            raise wrong(
                f"nothing keeps ({listed}) unique, so a row that is sent again would be there twice",
                f"CREATE UNIQUE INDEX ... ON {self._spec.table} ({listed}), or correct `key`",
            )

    def _open(self) -> sa.Connection:
        if self._connection is None:
            mode: FileMode = "rwc" if self._spec.create else "rw"
            opened, self._password = self._server.logged_in(lambda url: self._server.connect(url, mode))
            self._connection = opened
            self._set(opened)
        return self._connection

    def _set(self, connection: sa.Connection) -> None:
        run, seconds, family = connection.exec_driver_sql, self._spec.timeout_seconds, self._server.family
        if family in ("postgresql", "mysql"):
            # What another transaction has committed is to be seen when a row is looked for again.
            connection.execution_options(isolation_level="READ COMMITTED")
        if family == "postgresql":
            run(f"SET statement_timeout = {round(seconds * 1000)}")
            run("SET TimeZone = 'UTC'")
        if family == "mysql":
            if getattr(connection.dialect, "is_mariadb", False):
                run(f"SET SESSION max_statement_time = {seconds}")
            run("SET SESSION time_zone = '+00:00'")
            run("SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')")
        connection.commit()

    def _asked(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, which looks at the table; no transaction stays open."""
        try:
            found = self._guarded(work)
        except _RowsRefused as refused:
            raise InvalidInput("sql_invalid", refused.said, where=self._server.where, hint="correct `table`") from None
        self._open().rollback()
        return found

    def _guarded(self, work: Callable[[], T]) -> T:
        """What ``work`` gives. After an error nothing of it stands, nor, where it is no row's, the connection."""
        try:
            return work()
        except sa.exc.DBAPIError as error:
            fault, said = fault_of(error, self._password)
            if fault is not Fault.STATEMENT:
                self.close()
                raise self._error(fault, said, error) from None
        except sa.exc.StatementError as error:  # a value that SQLAlchemy itself does not take
            said = str(error.orig or error)
        except DrivetrainError:
            self.close()
            raise
        self._open().rollback()
        raise _RowsRefused(said)

    def _error(self, fault: Fault, said: str, error: sa.exc.DBAPIError) -> DrivetrainError:
        where = self._server.where
        if fault in (Fault.PASSING, Fault.TIMEOUT):
            hint = "look whether the server runs, whether somebody locks the table, and whether `url` is right"
            return Transient("sql_unavailable", said, where=where, hint=hint)
        if fault is Fault.PERMISSION:
            return Forbidden("sql_permission_denied", said, where=where, hint=_GRANT)
        if fault is Fault.WRITE:
            return Forbidden("sql_read_only", said, where=where, hint="name the server that takes writes in `url`")
        try:
            with explained(where, self._password):
                raise error
        except DrivetrainError as told:
            return told


class _RowsRefused(Exception):
    """The database does not take some of these rows."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _key(row: Row, key: Sequence[str]) -> tuple[str, ...]:
    return tuple(_told(row[name]) for name in key)


def _told(value: object) -> str:
    """A value of a key as text; CHAR columns come back with blanks at their end."""
    return str(value).rstrip()


def _is_unique(table: sa.Table, key: Sequence[str], connection: sa.Connection) -> bool:
    look = sa.inspect(connection)
    found = [
        set(table.primary_key.columns.keys()),
        *(set(one["column_names"]) for one in look.get_unique_constraints(table.name, table.schema)),
        *(set(one["column_names"]) for one in look.get_indexes(table.name, table.schema) if one["unique"]),
    ]
    return set(key) in found
