from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Dataset, Features
from drivetrain.core.project import FeaturesSpec
from drivetrain.prepare.prepare import prepare
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Commit, Table, schema_of


class Project:
    """A project folder with real SQL files and real Delta tables."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.catalog = Catalog(home)
        self.datasets: dict[str, Dataset] = {}
        self.notes: list[str] = []

    def source(self, name: str, rows: pa.Table | Mapping[str, object]) -> Dataset:
        """Append rows to a source as ingest would."""
        table = rows if isinstance(rows, pa.Table) else pa.table(dict(rows))
        version = Table(self.catalog.table_path("datasets", name)).append(table, Commit("{}", "x", table.num_rows))
        dataset = Dataset(name, version, f"digest-{version}", table.num_rows, 0, schema_of(table.schema))
        self.datasets[name] = dataset
        return dataset

    def sql(self, path: str, text: str | bytes) -> str:
        """Write a SQL file; gives its path."""
        file = self.home / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def prepare(self, spine: str, *tables: str, **rest: object) -> Features:
        """Run stage 2 on the texts of a spine and of feature tables."""
        declared = {
            f"t{number}": {"sql": self.sql(f"features/t{number}.sql", text)} for number, text in enumerate(tables)
        }
        said = {"entity": "id", "label": "y", "tables": declared} | rest
        spec = FeaturesSpec.model_validate({"spine": self.sql("features/spine.sql", spine)} | said)
        self.notes = []
        return prepare(
            spec, "risk", self.datasets, self.catalog, lambda _done, _total=None, note="": self.notes.append(note)
        )

    def rows(self, features: Features) -> pa.Table:
        """The rows of a feature table version."""
        return Table(self.catalog.table_path("features", features.name)).read(features.version)


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    yield made
    made.catalog.close()


@pytest.fixture
def loans(project):
    """A project over 1,500 honest loans: keys in no order, three numbers, a text with gaps, a branch."""
    random = np.random.default_rng(3)
    size = 1500
    income, debt = random.lognormal(8, 0.6, size).round(2), random.beta(2, 5, size).round(4)
    chance = 1 / (1 + np.exp(2.2 - 3 * debt + (np.log(income) - 8)))
    place = random.choice(["north", "south", "east"], size)
    rows = {
        "id": random.permutation(size) * 7 + 100,
        "y": random.random(size) < chance,
        "income": pa.array(income, mask=random.random(size) < 0.1),
        "debt": debt,
        "age": random.integers(18, 90, size),
        "place": pa.array(place, mask=random.random(size) < 0.05),
        "branch": random.integers(0, 40, size),
    }
    project.source("loans", rows)
    return project


@pytest.fixture
def connection():
    with duckdb.connect(":memory:") as made:
        yield made
