"""Worlds to judge models in; see ``drivetrain.testing.borrowers``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from drivetrain.core.task import Task
from drivetrain.store.catalog import Catalog
from drivetrain.testing.borrowers import World, borrowers, enter_features, graph_of
from drivetrain.testing.parcels import parcel_world


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


@pytest.fixture(scope="session")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Which of three classes, see ``drivetrain.testing.parcels``."""
    with Catalog(tmp_path_factory.mktemp("carriers")) as catalog:
        yield parcel_world(catalog, Task.CLASSES)


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """How long, in the same world."""
    with Catalog(tmp_path_factory.mktemp("days")) as catalog:
        yield parcel_world(catalog, Task.NUMBER)


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[Callable[[pa.Table], World]]:
    """A world of a table of one's own."""
    with Catalog(tmp_path) as catalog:
        yield lambda table: World(catalog, enter_features(catalog, table))
