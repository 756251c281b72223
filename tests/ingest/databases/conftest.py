"""The database servers of these tests, and readers of their tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.mariadb import Mariadb, mariadb
from tests.servers.postgres import Postgres, postgres

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.sources.databases import SqlSource
from drivetrain.ingest.reading import Batch, Position, Reader, open_reader


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Postgres) -> str:
    return postgres_server.database()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Mariadb]:
    with mariadb() as server:
        yield server


@dataclass
class Base:
    """A new, empty database of one of the three kinds."""

    url: str
    run: Callable[..., None]


@pytest.fixture
def pg(postgres_server: Postgres, postgres_database: str) -> Base:
    def run(*statements: str) -> None:
        with postgres_server.connect(postgres_database) as connection:
            for statement in statements:
                connection.execute(statement)

    run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")  # a new database takes half a second
    return Base(postgres_server.url(postgres_database), run)


@pytest.fixture
def maria(mariadb_server: Mariadb) -> Base:
    name = mariadb_server.database()
    return Base(
        mariadb_server.url(name, "open"), lambda *statements: mariadb_server.execute(*statements, database=name)
    )


@pytest.fixture
def lite(tmp_path: Path) -> Base:
    def run(*statements: str) -> None:
        connection = sqlite3.connect(tmp_path / "some.db")
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    run("PRAGMA user_version = 1")
    return Base("sqlite:///some.db", run)


@pytest.fixture(params=["pg", "maria", "lite"])
def base(request: pytest.FixtureRequest) -> Base:
    """Each of the three, one after the other."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Base)
    return found


@pytest.fixture
def environment() -> dict[str, str]:
    """What the credentials refer to."""
    return {"PASSWORD": "open sesame"}


@pytest.fixture
def place(tmp_path: Path, environment: dict[str, str]) -> Place:
    return Place(tmp_path, tmp_path / "cache", KnownSecrets(environment, tmp_path))


Open = Callable[..., Reader]


@pytest.fixture
def open_sql(place: Place) -> Open:
    """``open_sql(url, table=..., key=[...])``: a reader of a source."""

    def make(url: str, **options: object) -> Reader:
        return open_reader(sql_source(url, **options), place)

    return make


def sql_source(url: str, *, key: tuple[str, ...] = (), **options: object) -> SqlSource:
    return SqlSource.model_validate({"kind": "sql", "url": url, "contract": {"key": key}, **options})


@dataclass
class Reading:
    """What one reading gave; ``cursor`` is where the next starts (as before, where there was no position)."""

    batches: list[Batch] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    cursor: str = ""

    @property
    def rows(self) -> list[tuple[object, ...]]:
        tables = [batch.rows.to_pydict().values() for batch in self.batches]
        return [row for table in tables for row in zip(*table, strict=True)]

    @property
    def changes(self) -> list[tuple[str, object]]:
        """What happens to which value of the first column."""
        return [(str(batch.change), value) for batch in self.batches for value in batch.rows.column(0).to_pylist()]


def read(reader: Reader, cursor: str = "") -> Reading:
    found = Reading(cursor=cursor)
    for item in reader.read(cursor):
        if isinstance(item, Batch):
            found.batches.append(item)
        else:
            found.positions.append(item)
            found.cursor = item.cursor
    return found
