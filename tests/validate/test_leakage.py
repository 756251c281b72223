from __future__ import annotations

import numpy as np
import pyarrow as pa

from drivetrain.core.project import GatesSpec, LeakRules
from drivetrain.core.task import Task
from drivetrain.store.catalog import Catalog
from drivetrain.testing.parcels import parcel_world, parcels
from drivetrain.validate.leakage import leakage


def _gate(world, **rules):
    return leakage(world.evidence(GatesSpec(leakage=LeakRules(**rules)))).results[0]


def test_honest_features_pass_and_the_strongest_input_is_named(world):
    result = _gate(world)
    assert result.verdict == "pass"
    assert "'income'" in result.detail
    assert 0.7 < result.measured.value < 0.9


def test_an_input_that_tells_the_label_is_named_unless_a_person_allows_it(own_world, loans):
    told = np.where(np.array(loans["late"]), 100.0, 5_000.0) + np.arange(loans.num_rows) / 1e4
    world = own_world(loans.set_column(loans.column_names.index("income"), "income", pa.array(told)))
    result = _gate(world)
    assert result.verdict == "fail"
    assert "tells the label alone: 'income' (1.0000)" in result.detail
    assert _gate(world, allow=("income",)).verdict == "pass"


def test_test_rows_that_stand_in_training_fail(own_world, loans):
    """A tenth of the test rows copied over training rows."""
    split = np.array(loans["split"])
    test, train = np.flatnonzero(split == "test")[:300], np.flatnonzero(split == "train")[:300]
    rows = np.arange(loans.num_rows)
    rows[train] = test
    copied = loans.take(rows).set_column(0, "loan", loans["loan"]).set_column(2, "split", loans["split"])
    result = _gate(own_world(copied))
    assert result.verdict == "fail"
    assert "18.75% of the test rows also stand in training" in result.detail
    assert _gate(own_world(copied), max_duplicates=0.2).verdict == "pass"


def test_an_input_that_explains_a_number_is_named(tmp_path):
    with Catalog(tmp_path) as catalog:
        table = parcels()
        told = pa.array(3 * np.array(table["days"]) + 1)
        at = table.column_names.index("weight")
        world = parcel_world(catalog, Task.NUMBER, table.set_column(at, "weight", told))
        (result,) = leakage(world.evidence(GatesSpec())).results
    assert result.verdict == "fail"
    assert result.measured.name == "share explained by one input"
    assert "tells the label alone: 'weight' (1.0000)" in result.detail


def test_an_input_that_tells_the_commonest_class_is_named(tmp_path):
    with Catalog(tmp_path) as catalog:
        table = parcels()
        told = pa.array((np.array(table["carrier"]) == "bike").astype(float))
        at = table.column_names.index("weight")
        world = parcel_world(catalog, Task.CLASSES, table.set_column(at, "weight", told))
        (result,) = leakage(world.evidence(GatesSpec())).results
    assert "tells the label alone: 'weight'" in result.detail
