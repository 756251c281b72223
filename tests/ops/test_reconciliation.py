"""Reconciled forecasts add up, leave what adds up alone, and are those of the formulas in the papers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.reconciliation import (
    bottom_up,
    hierarchy,
    least_squares,
    minimum_trace,
    not_negative,
    shares,
    shrunk_covariance,
)

BOTTOM = ("mug/uk", "mug/fr", "lamp/uk", "lamp/fr", "bag/uk")
LEVELS = {
    "all": ["all"] * 5,
    "item": ["mug", "mug", "lamp", "lamp", "bag"],
    "country": ["uk", "fr", "uk", "fr", "uk"],
}
TREE = hierarchy(BOTTOM, LEVELS)
SEEDS = st.integers(0, 2**32 - 1)


def _drawn(seed, steps=4):
    draw = np.random.default_rng(seed)
    return draw.normal(10, 5, (len(TREE.names), steps)), draw.normal(size=(len(TREE.names), 40))


def _ways(forecasts, residuals):
    return bottom_up(TREE, forecasts), least_squares(TREE, forecasts), minimum_trace(TREE, forecasts, residuals)


def test_nodes_are_groups_of_levels_that_may_cross():
    assert TREE.names[:6] == ("all/all", "item/bag", "item/lamp", "item/mug", "country/fr", "country/uk")
    assert TREE.add_up(np.arange(5.0)[:, None])[:, 0].tolist() == [10, 4, 5, 1, 4, 6, 0, 1, 2, 3, 4]


@given(SEEDS)
def test_whatever_is_forecast_adds_up_to_the_last_bit(seed):
    for found in _ways(*_drawn(seed)):
        assert (found == TREE.add_up(found[-5:])).all()


@given(SEEDS)
def test_what_adds_up_stays_as_it_is(seed):
    forecasts, residuals = _drawn(seed)
    whole = TREE.add_up(forecasts[-5:])
    for found in _ways(whole, residuals):
        assert found == pytest.approx(whole, abs=1e-8)


@given(SEEDS)
def test_they_are_the_projections_of_the_papers(seed):
    forecasts, residuals = _drawn(seed)
    summing = TREE.add_up(np.eye(5))
    for weights, found in (
        (np.eye(len(TREE.names)), least_squares(TREE, forecasts)),
        (shrunk_covariance(residuals), minimum_trace(TREE, forecasts, residuals)),
    ):
        inverse = np.linalg.inv(weights)
        mapped = np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ forecasts)
        assert found == pytest.approx(summing @ mapped, rel=1e-6, abs=1e-6)


@given(SEEDS)
def test_least_squares_is_nearest(seed):
    forecasts, _ = _drawn(seed)
    nearest = np.square(least_squares(TREE, forecasts) - forecasts).sum()
    assert nearest <= np.square(bottom_up(TREE, forecasts) - forecasts).sum() + 1e-9


def test_minimum_trace_trusts_who_made_small_errors():
    forecasts = TREE.add_up(np.full((5, 1), 10.0))
    forecasts[0] = 100.0
    draw = np.random.default_rng(3)
    sure, unsure = draw.normal(size=(len(TREE.names), 60)), draw.normal(size=(len(TREE.names), 60))
    sure[0], unsure[0] = sure[0] * 0.01, unsure[0] * 100
    assert minimum_trace(TREE, forecasts, sure)[0, 0] == pytest.approx(100, abs=1)
    assert minimum_trace(TREE, forecasts, unsure)[0, 0] == pytest.approx(50, abs=1)


@given(SEEDS, st.integers(2, 60))
def test_the_covariance_can_always_be_inverted_and_keeps_the_variances(seed, steps):
    residuals = np.random.default_rng(seed).normal(size=(8, steps))
    found = shrunk_covariance(residuals)
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.diag(found) == pytest.approx(np.square(residuals).mean(axis=1))


def test_chance_correlations_go_and_true_ones_stay():
    draw = np.random.default_rng(5)
    alone, shared = draw.normal(size=(6, 30)), draw.normal(size=(1, 400))
    apart = ~np.eye(6, dtype=bool)
    assert np.abs(shrunk_covariance(alone)[apart]).max() < 0.15
    together = shrunk_covariance(shared + 0.3 * draw.normal(size=(6, 400)))
    assert together[apart].min() > 0.8


def test_a_series_without_an_error_does_not_break_it():
    residuals = np.vstack([np.zeros(30), np.random.default_rng(1).normal(size=(3, 30))])
    assert np.linalg.eigvalsh(shrunk_covariance(residuals)).min() > 0
    assert (shrunk_covariance(np.zeros((2, 5))) == np.eye(2)).all()


@given(SEEDS)
def test_demand_is_never_negative_and_still_adds_up(seed):
    found = not_negative(TREE, least_squares(TREE, _drawn(seed)[0] - 10))
    assert found.min() >= 0
    assert (found == TREE.add_up(found[-5:])).all()


def test_what_cannot_be_a_hierarchy_is_said():
    with pytest.raises(InvalidInput, match="names 1 of 5"):
        hierarchy(BOTTOM, {"item": ["mug"]})
    with pytest.raises(InvalidInput, match="one name"):
        hierarchy(("a", "a"), {})
    with pytest.raises(InvalidInput, match="two steps"):
        shrunk_covariance(np.ones((3, 1)))


def test_parts_have_the_shares_they_had_and_those_of_all_where_there_were_none():
    found = shares(np.array([[1.0, 3.0], [0.0, 0.0], [3.0, 1.0]]))
    assert found.tolist() == [[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]]
    assert shares(np.zeros((2, 4))).tolist() == [[0.25] * 4] * 2
