import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Features
from drivetrain.core.digest import digest_bytes
from drivetrain.core.schema import Column, Schema
from drivetrain.core.task import Task
from drivetrain.store.catalog import Catalog
from drivetrain.store.labels import classes_of
from drivetrain.store.tables import Commit, Table, column_type

OWN = ("entity", "label", "split")


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as opened:
        yield opened


@pytest.fixture
def make_features(catalog):
    """Writes a feature table as prepare leaves it: entity, label, split, inputs."""

    def make(columns, label, test_share=0.25, name="cases", task=Task.YES_NO) -> Features:
        label = np.asarray(label, dtype=bool if task is Task.YES_NO else None)
        rows = len(label)
        split = np.where(np.arange(rows) % 100 < 100 * test_share, "test", "train")
        table = pa.table(
            {
                "entity": [f"{row:06d}" for row in range(rows)],
                "label": pa.array(label),
                "split": pa.array(split.tolist(), pa.string()),
                **columns,
            }
        )
        inputs = [field for field in table.schema if field.name not in OWN]
        digest = digest_bytes(b"".join(batch.serialize().to_pybytes() for batch in table.to_batches()))
        version = Table(catalog.table_path("features", name)).overwrite(table, Commit("", digest, rows))
        schema = Schema(tuple(Column(field.name, column_type(field.type), True) for field in inputs))
        kinds = classes_of(pa.chunked_array([label[split == "train"]])) if task is Task.CLASSES else ()
        return Features(name, version, digest, "entity", "label", None, schema, (), (), (), task, kinds)

    return make


@pytest.fixture
def loans(make_features):
    """600 cases with every type of column, missing values and a text; the label depends on most of them."""
    chance = np.random.default_rng(7)
    rows = 600
    income = np.exp(chance.normal(8.0, 1.0, rows)).round(2)
    late = chance.poisson(0.7, rows)
    owns = chance.random(rows) < 0.5
    home = chance.choice(["rent", "own", "mortgage"], rows, p=[0.5, 0.2, 0.3])
    since = 1_600_000_000 + chance.integers(0, 10**8, rows)
    odds = 1.2 * late - 0.8 * (np.log(income) - 8.0) - 0.7 * owns + (home == "rent") - 1.2
    label = chance.random(rows) < 1.0 / (1.0 + np.exp(-odds))
    hidden = chance.random(rows) < 0.1
    return make_features(
        {
            "income": pa.array(np.where(hidden, np.nan, income), from_pandas=True),
            "late": pa.array(late),
            "owns": pa.array(owns),
            "home": pa.array(home.tolist()),
            "since": pa.array(since * 1_000_000).cast(pa.timestamp("us", tz="UTC")),
        },
        label,
    )
