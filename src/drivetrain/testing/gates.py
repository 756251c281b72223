"""The contract of a Gate, as tests. A plugin subclasses ``GateContract``, names its gate, and is run by pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from drivetrain.core import plugins
from drivetrain.core.project import GatesSpec
from drivetrain.core.task import Task
from drivetrain.store.catalog import Catalog
from drivetrain.store.pages import render_page
from drivetrain.testing.borrowers import World, borrowers, enter_features
from drivetrain.testing.parcels import parcel_world
from drivetrain.validate.gates import Finding, Gate, attempt


class GateContract(ABC):
    """Four promises that ``validate`` builds on.

    The world to judge in is ``drivetrain.testing.borrowers``, of classes and numbers ``drivetrain.testing.parcels``.
    """

    @abstractmethod
    def name(self) -> str:
        """The name under which the gate is registered in ``drivetrain.gates``."""

    def spec(self) -> GatesSpec:
        """The section ``gates`` of the project file that asks for the gate; the default one if it is always asked."""
        return GatesSpec()

    def task(self) -> Task:
        """A task that the gate is for."""
        return Task.YES_NO

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[World]:
        """A project with features."""
        with Catalog(tmp_path) as catalog:
            if self.task() is Task.YES_NO:
                yield World(catalog, enter_features(catalog, borrowers()))
            else:
                yield parcel_world(catalog, self.task())

    @pytest.fixture
    def gate(self) -> Gate:
        """The gate, through the plugin door."""
        return cast(Gate, plugins.load("gates", self.name()))

    def test_finds_the_same_again(self, world: World, gate: Gate) -> None:
        """The same model on the same cases; only a result that is ``timed`` may differ."""
        model = world.model()
        first, again = (gate(world.evidence(self.spec(), model)) for _ in range(2))
        assert [result for result in first.results if not result.timed] == [
            result for result in again.results if not result.timed
        ]
        assert (first.tables, first.charts) == (again.tables, again.charts)

    def test_results_carry_its_name(self, world: World, gate: Gate) -> None:
        """So that nobody wonders whose result it is: ``name``, or ``name:`` and what it was about."""
        names = [result.gate for result in gate(world.evidence(self.spec())).results]
        assert all(name == self.name() or name.startswith(f"{self.name()}:") for name in names)
        assert len(set(names)) == len(names)

    def test_what_it_shows_can_be_drawn(self, world: World, gate: Gate) -> None:
        """Tables have as many cells a row as names above; charts are made of numbers."""
        finding = gate(world.evidence(self.spec()))
        assert all(len(row) == len(table.header) for table in finding.tables for row in table.rows)
        assert render_page("a", "b", (*finding.tables, *finding.charts))

    def test_a_model_that_does_not_score_is_a_result_and_no_crash(self, world: World, gate: Gate) -> None:
        """A graph that cannot be read: the gate fails with the reason, or judges what it can without scores."""
        broken = world.model(lambda content: replace(content, graph=b"no graph"))
        finding = attempt(self.name(), partial(gate, world.evidence(self.spec(), broken)))
        assert isinstance(finding, Finding)
        assert all(result.detail for result in finding.results if result.verdict == "fail")
