"""Shapley values are those of the definition, add up, and cost one call."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.calibration import log_odds, probability
from drivetrain.ops.explain import identity, shapley

values = st.floats(-3, 3, allow_subnormal=False)


def model(rows):
    """A score with interactions that also takes missing values."""
    filled = np.where(np.isnan(rows), 0.7, rows)
    return probability(np.sin(filled).sum(axis=1) + filled[:, 0] * filled[:, -1])


def by_definition(score_fn, row, typical):
    added = np.zeros(len(row))
    orders = list(permutations(range(len(row))))
    for order in orders:
        now = typical.copy()
        for feature in order:
            then = now.copy()
            then[feature] = row[feature]
            added[feature] += log_odds(score_fn(then[None]))[0] - log_odds(score_fn(now[None]))[0]
            now = then
    return added / len(orders)


@given(st.lists(st.tuples(values, values), min_size=1, max_size=12), st.integers(0, 9))
def test_values_add_up_to_the_difference_and_repeat(pairs, seed):
    row, typical = (np.array(side) for side in zip(*pairs, strict=True))
    added = shapley(model, row, typical, seed=seed)
    whole = log_odds(model(row[None])) - log_odds(model(typical[None]))
    assert added.sum() == pytest.approx(whole[0], abs=1e-9)
    assert (added == shapley(model, row, typical, seed=seed)).all()
    assert (added[row == typical] == 0).all()


@given(st.lists(st.tuples(values, values), min_size=2, max_size=2))
def test_two_values_are_exact(pairs):
    row, typical = (np.array(side) for side in zip(*pairs, strict=True))
    assert shapley(model, row, typical, pairs=1) == pytest.approx(by_definition(model, row, typical), abs=1e-9)


def test_many_orders_come_near_the_definition():
    row, typical = np.array([1.0, -2.0, 0.5, 2.0]), np.zeros(4)
    assert shapley(model, row, typical, pairs=400) == pytest.approx(by_definition(model, row, typical), abs=0.05)


def test_a_linear_model_is_explained_exactly():
    weights = np.array([0.5, -1.0, 2.0, 0.0])
    row, typical = np.array([1.0, 2.0, -1.0, 5.0]), np.array([0.0, 1.0, 1.0, 1.0])
    added = shapley(lambda rows: probability(rows @ weights), row, typical, pairs=2)
    assert added == pytest.approx(weights * (row - typical))


def test_a_number_is_explained_in_its_own_unit():
    row, typical = np.array([1.0, 2.0]), np.array([0.0, 5.0])
    added = shapley(lambda rows: 100 + rows @ np.array([7.0, -2.0]), row, typical, link=identity, pairs=2)
    assert added == pytest.approx([7.0, 6.0])


def test_missing_values_count_and_equal_ones_do_not():
    row, typical = np.array([np.nan, np.nan, 1.0]), np.array([0.2, np.nan, 1.0])
    added = shapley(model, row, typical)
    assert added[0] != 0
    assert added[1:].tolist() == [0, 0]


def test_the_model_is_called_once_and_not_at_all_for_the_typical_row():
    calls = []

    def counted(rows):
        calls.append(len(rows))
        return model(rows)

    shapley(counted, np.ones(10), np.zeros(10), pairs=8)
    shapley(counted, np.zeros(10), np.zeros(10))
    assert calls == [2 + 16 * 9]
