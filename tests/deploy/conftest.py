from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.artifacts import Release
from drivetrain.core.model import InputField, Signature
from drivetrain.core.roles import Actor
from drivetrain.core.schema import ColumnType
from drivetrain.store.catalog import Catalog
from drivetrain.testing.graphs import constant_graph, model_of
from drivetrain.testing.releases import ReleaseMaker

INPUTS = (InputField("age", ColumnType.INTEGER, True, typical=52.0), InputField("income", ColumnType.NUMBER, True))
ROWS = np.arange(20.0).reshape(10, 2)


@dataclass(frozen=True)
class World:
    """A catalog, people, and a way to make approved releases of small models."""

    catalog: Catalog
    maker: ReleaseMaker

    @property
    def actors(self) -> dict[str, Actor]:
        return self.maker.actors

    def release(self, graph: bytes, *, approved: bool = True) -> Release:
        """A release of a graph that takes two numbers."""
        return self.maker.release(model_of(graph, Signature(INPUTS, "id", "bad"), ROWS), approved=approved)


def make_graph(answer: float = 0.5) -> bytes:
    """A graph that takes rows of two numbers and answers ``answer`` for each."""
    return constant_graph(answer, len(INPUTS))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    maker = ReleaseMaker(tmp_path, service="risk-api", project="risk")
    with Catalog(tmp_path) as catalog:
        yield World(catalog, maker)
