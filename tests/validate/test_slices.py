from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import GatesSpec, SliceGate
from drivetrain.core.task import Task
from drivetrain.store.catalog import Catalog
from drivetrain.testing.parcels import parcel_world, parcels
from drivetrain.validate.slices import find_slices, slices


def _spoilt(loans: pa.Table, spoilt: np.ndarray) -> pa.Table:
    """The loans, with outcomes in ``spoilt`` rows that have nothing to do with the inputs."""
    late = np.array(loans["late"])
    late[spoilt] = np.random.default_rng(5).random(int(spoilt.sum())) < 0.3
    return loans.set_column(1, "late", pa.array(late))


def test_a_slice_of_one_column_where_the_model_fails_is_found(own_world, loans):
    north = np.array(loans["region"].to_pylist(), dtype=object) == "north"
    world = own_world(_spoilt(loans, north))
    finding = slices(world.evidence(GatesSpec(slices=SliceGate(min_rows=200, max_drop=0.2))))
    (result,) = finding.results
    assert result.verdict == "fail"
    assert "region = north" in result.detail
    assert result.measured.low > 0.1
    assert finding.charts[0].series[0].labels[0] == finding.tables[0].rows[0][0]


def test_a_slice_of_two_columns_where_the_model_fails_is_found(own_world, loans):
    north = np.array(loans["region"].to_pylist(), dtype=object) == "north"
    world = own_world(_spoilt(loans, north & np.array(loans["owner"])))
    weakest = find_slices(world.evidence(GatesSpec()), SliceGate(min_rows=100))[0]
    assert set(weakest.part.columns) == {"region", "owner"}
    assert weakest.part.label in ("region = north, owner = true", "owner = true, region = north")


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss"])
def test_every_metric_ranks_the_weakest_first_and_shrinks_it_toward_the_others(world, metric):
    found = find_slices(world.evidence(GatesSpec()), SliceGate(metric=metric, min_rows=100))
    shrunk = np.array([one.shrunk for one in found])
    assert (np.diff(shrunk) >= 0).all() if metric != "log_loss" else (np.diff(shrunk) <= 0).all()
    assert np.ptp(shrunk) <= np.ptp([one.value for one in found])
    assert all(one.rows >= 100 for one in found)


def test_listed_slices_are_of_different_cases(world):
    spec = SliceGate(min_rows=100)
    evidence = world.evidence(GatesSpec(slices=spec))
    listed = {row[0] for row in slices(evidence).tables[0].rows}
    rows = [one.part.rows for one in find_slices(evidence, spec) if one.part.label in listed]
    overlaps = [(a & b).sum() / (a | b).sum() for at, a in enumerate(rows) for b in rows[:at]]
    assert 1 < len(listed) <= 10
    assert max(overlaps) < 0.5


def test_too_few_rows_for_a_slice_is_said(world):
    with pytest.raises(InvalidInput, match="no slice has 5000 test rows"):
        slices(world.evidence(GatesSpec(slices=SliceGate(min_rows=5_000))))


def test_a_slice_in_which_classes_are_confused_is_found(tmp_path):
    with Catalog(tmp_path) as catalog:
        table = parcels()
        town = np.array(table["zone"]) == "town"
        carrier = np.where(
            town, np.random.default_rng(3).choice(["bike", "air"], len(town)), np.array(table["carrier"])
        )
        world = parcel_world(catalog, Task.CLASSES, table.set_column(1, "carrier", pa.array(carrier.tolist())))
        weakest = find_slices(world.evidence(GatesSpec()), SliceGate(min_rows=200))[0]
        assert weakest.part.label == "zone = town"


def test_the_r2_of_a_slice_is_held_against_the_variance_of_all_rows(days):
    evidence = days.evidence(GatesSpec())
    found = find_slices(evidence, SliceGate(min_rows=100))
    squares = np.square(evidence.truth - evidence.answer)
    for one in found:
        assert one.value == pytest.approx(1 - squares[one.part.rows].mean() / evidence.truth.var())
    assert "distance" in found[0].part.label, "the errors of far parcels are the largest"


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_errors_of_numbers_rank_the_largest_first(days, metric):
    found = find_slices(days.evidence(GatesSpec()), SliceGate(metric=metric, min_rows=100))
    assert (np.diff([one.shrunk for one in found]) <= 0).all()
