"""Reading the tables of what a service is to know, as ``prepare`` leaves them."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.core.artifacts import Features
from drivetrain.core.passages import Passage
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

KNOWLEDGE, QUERIES = "knowledge", "queries"


@dataclass(frozen=True)
class Query:
    """What somebody asks, and the id of the passage that answers."""

    query: str
    id: str


def read_passages(catalog: Catalog, features: Features) -> tuple[Passage, ...]:
    """The passages that go with a feature table; none where the project has no knowledge."""
    if features.knowledge is None:
        return ()
    rows = Table(catalog.table_path(KNOWLEDGE, features.name)).read(features.knowledge.passages).to_pylist()
    return tuple(Passage(**{name: value or "" for name, value in row.items()}) for row in rows)


def read_queries(catalog: Catalog, features: Features) -> tuple[Query, ...]:
    """The queries that go with a feature table."""
    if features.knowledge is None or features.knowledge.queries is None:
        return ()
    rows = Table(catalog.table_path(QUERIES, features.name)).read(features.knowledge.queries).to_pylist()
    return tuple(Query(**row) for row in rows)
