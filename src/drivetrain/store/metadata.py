"""Control data in one SQLite file: named SQL from ``.sql`` files, migrations applied on opening."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

Row = tuple[str, ...]


def named_sql(file: str) -> dict[str, str]:
    """The statements of a ``.sql`` file by the name in the ``-- name:`` line above each."""
    text = files("drivetrain.store").joinpath("sql", file).read_text(encoding="utf-8")
    blocks = text.split("-- name: ")[1:]
    return {name.strip(): body.strip() for name, _, body in (block.partition("\n") for block in blocks)}


class Metadata:
    """A SQLite database that several processes may open at once. Each ``write`` is one transaction."""

    def __init__(self, path: Path, statements: str = "catalog.sql", migrations: str = "migrations.sql") -> None:
        """``statements`` and ``migrations`` are files of named SQL."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sql, self._steps = named_sql(statements), named_sql(migrations)
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone, not only out of sight
        self._migrate()

    def read(self, query: str, /, **values: str) -> list[Row]:
        """All rows of a named query."""
        return self._connection.execute(self._sql[query], values).fetchall()

    def write(self, statements: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Run named statements as one transaction: all of them or none."""
        with self._transaction():
            for name, values in statements:
                self._connection.execute(self._sql[name], values)

    def change(self, statement: str, /, **values: str) -> int:
        """Run one named statement; how many rows it changed."""
        with self._transaction():
            return self._connection.execute(self._sql[statement], values).rowcount

    def write_if(self, first: tuple[str, Mapping[str, str]], others: Iterable[tuple[str, Mapping[str, str]]]) -> bool:
        """Run ``first``, and the others when it changed a row, as one transaction. Says whether it did."""
        name, values = first
        with self._transaction():
            if self._connection.execute(self._sql[name], values).rowcount == 0:
                return False
            for other, its_values in others:
                self._connection.execute(self._sql[other], its_values)
            return True

    def settle(self) -> None:
        """Empty the log beside the file, in which what was deleted stands for a while; it stays while others read."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _migrate(self) -> None:
        steps = list(self._steps.values())
        if self._version() == len(steps):
            return
        with self._transaction():
            for number in range(self._version(), len(steps)):
                for statement in steps[number].split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number + 1}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])
