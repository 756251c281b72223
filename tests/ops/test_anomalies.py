"""What is unusual without labels: few bad rows that change nothing, units that do not matter, reasons that add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble._iforest import _average_path_length as average_path_length

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.anomalies import isolation_depth, learn_usual

SEEDS = st.integers(0, 2**32 - 1)


def _rows(seed, count=400):
    draw = np.random.default_rng(seed)
    return draw.normal([0, 100, -5], [1, 20, 0.1], (count, 3))


def test_a_fault_is_far_and_says_which_column():
    usual = learn_usual(_rows(1))
    fault = np.array([[0.0, 100.0, -4.0]])
    assert usual.distance(fault)[0] > usual.distance(_rows(1)).max()
    assert usual.parts(fault)[0].argmax() == 2
    assert usual.parts(fault).sum() == pytest.approx(usual.distance(fault)[0] ** 2)


def test_a_tenth_of_bad_rows_hardly_moves_what_is_usual():
    clean, spoilt = _rows(2), _rows(2)
    spoilt[:40] += 1e6
    before, after = learn_usual(clean), learn_usual(spoilt)
    assert after.center == pytest.approx(before.center, abs=5)
    assert after.spread == pytest.approx(before.spread, rel=0.3)
    assert after.distance(spoilt[:40]).min() > after.distance(spoilt[40:]).max()


@given(SEEDS, st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_units_do_not_matter(seed, factor, shift):
    rows = _rows(seed, 60)
    before, after = learn_usual(rows), learn_usual(rows * factor + shift)
    assert after.distance(rows * factor + shift) == pytest.approx(before.distance(rows), rel=1e-5, abs=1e-5)


@given(SEEDS)
def test_farther_is_never_more_usual(seed):
    usual = learn_usual(_rows(seed, 60))
    away = usual.center + np.linspace(0, 9, 12)[:, None] * usual.spread
    assert (np.diff(usual.distance(away)) > 0).all()


def test_missing_values_add_nothing_and_columns_that_never_varied_are_strict():
    rows = _rows(3)
    rows[:, 2] = 7.0
    rows[::7, 0] = np.nan
    usual = learn_usual(rows)
    assert usual.distance(np.array([[np.nan, np.nan, np.nan]]))[0] == 0.0
    assert usual.distance(np.array([[np.nan, np.nan, 7.5]]))[0] > 1e6


def test_mostly_one_value_has_a_spread_all_the_same():
    rows = np.zeros((100, 1))
    rows[:20] = np.arange(20.0)[:, None]
    assert 0 < learn_usual(rows).spread[0] < np.inf


def test_a_column_without_a_value_says_nothing():
    rows = _rows(4)
    rows[:, 0] = np.nan
    assert learn_usual(rows).parts(np.array([[5.0, 100.0, -5.0]]))[0, 0] == 0.0


def test_too_few_rows_are_refused():
    with pytest.raises(InvalidInput, match="do not say what is usual"):
        learn_usual(np.ones((5, 1)))


def test_depths_of_isolation_are_those_of_the_paper():
    counts = np.array([0, 1, 2, 3, 256, 10_000])
    assert isolation_depth(counts)[:4] == pytest.approx([0, 0, 1, 5 / 3])
    assert isolation_depth(counts)[4:] == pytest.approx(average_path_length(counts)[4:], rel=1e-3)
