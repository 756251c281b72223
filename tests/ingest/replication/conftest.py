"""A PostgreSQL server whose log can be read, and readers of the changes of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.ingest.databases.conftest import Base
from tests.servers.postgres import Postgres, postgres

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.sources.databases import CdcSource
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import Reader, open_reader
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

LOGICAL = "-c wal_level=logical -c synchronous_commit=on -c max_replication_slots=20 -c max_wal_senders=10"
WORDS = "CREATE TABLE words (id integer PRIMARY KEY, word text)"


@pytest.fixture(scope="session")
def replicating_server() -> Iterator[Postgres]:
    with postgres(LOGICAL) as server:
        yield server


@pytest.fixture(scope="session")
def replicating_database(replicating_server: Postgres) -> str:
    return replicating_server.database()


@pytest.fixture
def pg(replicating_server: Postgres, replicating_database: str) -> Iterator[Base]:
    """An empty database; slots and publications of the test are gone afterwards."""

    def run(*statements: str) -> None:
        with replicating_server.connect(replicating_database) as connection:
            for statement in statements:
                connection.execute(statement)

    run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    yield Base(replicating_server.url(replicating_database), run)
    with replicating_server.connect(replicating_database) as connection:
        for (name,) in connection.execute("SELECT pubname FROM pg_publication").fetchall():
            connection.execute(f'DROP PUBLICATION "{name}"')
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND NOT temporary"
        )


@pytest.fixture
def ask(pg: Base) -> Callable[[str], list[tuple[object, ...]]]:
    """``ask(sql)``: what the server answers."""

    def run(sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(pg.url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    return run


@pytest.fixture
def environment() -> dict[str, str]:
    """What the credentials refer to."""
    return {"PASSWORD": "open sesame"}


@pytest.fixture
def place(tmp_path: Path, environment: dict[str, str]) -> Place:
    return Place(tmp_path, tmp_path / "cache", KnownSecrets(environment, tmp_path))


def cdc_source(url: str, table: str = "words", *, key: tuple[str, ...] = ("id",), **options: object) -> CdcSource:
    return CdcSource.model_validate({"kind": "cdc", "url": url, "table": table, "contract": {"key": key}, **options})


@pytest.fixture
def open_cdc(pg: Base, place: Place) -> Callable[..., Reader]:
    """``open_cdc(table=..., key=(...))``: a reader of the changes of a table."""
    return lambda **options: open_reader(cdc_source(pg.url, **options), place)


@pytest.fixture
def load(pg: Base, tmp_path: Path) -> Callable[..., list[tuple[object, ...]]]:
    """``load(table=...)`` loads what is new; gives the rows of the dataset, sorted by their first column."""

    def run(*, accept_schema: bool = False, **options: object) -> list[tuple[object, ...]]:
        with Catalog(tmp_path) as catalog:
            dataset = ingest(cdc_source(pg.url, **options), "words", catalog, accept_schema=accept_schema)
            catalog.put(dataset)
            rows = Table(catalog.table_path("datasets", "words")).read(dataset.version).to_pylist()
        return sorted((tuple(row.values()) for row in rows), key=lambda row: str(row[0]).zfill(9))

    return run
