"""Worlds to judge models in; see ``drivetrain.testing.borrowers``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from drivetrain.store.catalog import Catalog
from drivetrain.testing.borrowers import World, borrowers, enter_features, graph_of


@pytest.fixture(scope="session")
def loans() -> pa.Table:
    """The feature table of the world."""
    return borrowers()


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., bytes]:
    """The maker of logistic graphs."""
    return graph_of


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, loans: pa.Table) -> Iterator[World]:
    with Catalog(tmp_path_factory.mktemp("project")) as catalog:
        yield World(catalog, enter_features(catalog, loans))


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[Callable[[pa.Table], World]]:
    """A world of a table of one's own."""
    with Catalog(tmp_path) as catalog:
        yield lambda table: World(catalog, enter_features(catalog, table))
