"""Errors of forecasts by the formulas they name, and by what must hold of any forecast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drivetrain.core.errors import InvalidInput
from drivetrain.ops import forecasting

SALES = arrays(np.float64, (3, 12), elements=st.integers(0, 50).map(float))
AMOUNTS = st.floats(-1e6, 1e6)


def test_seasonal_naive_repeats_the_last_season():
    history = np.arange(10.0).reshape(1, 10)
    assert forecasting.seasonal_naive(history, 8, 3).tolist() == [[7, 8, 9, 7, 8, 9, 7, 8]]
    assert forecasting.moving_average(history, 2, 4).tolist() == [[7.5, 7.5]]
    with pytest.raises(InvalidInput, match="no season of 11"):
        forecasting.seasonal_naive(history, 1, 11)


@given(SALES, st.integers(1, 9), st.integers(1, 12))
def test_a_season_that_repeats_is_forecast_without_a_mistake(history, horizon, season):
    whole = np.tile(history[:, :season], 12)
    ahead = forecasting.seasonal_naive(whole[:, : 2 * season], horizon, season)
    assert (ahead == whole[:, 2 * season : 2 * season + horizon]).all()


def test_the_scale_is_counted_from_the_first_sale_on():
    history = np.array([[0, 0, 0, 2, 4, 2.0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    assert forecasting.naive_scale(history).tolist() == [4.0, 0.0, 0.0]


@given(SALES, st.floats(0.1, 100))
def test_scaled_errors_have_no_unit(history, factor):
    scale = forecasting.naive_scale(history)
    moving = scale > 0
    if not moving.any():
        return
    actual, forecast = history[moving, -3:], history[moving, :3]
    errors = forecasting.rmsse(actual, forecast, scale[moving])
    assert forecasting.rmsse(actual * factor, forecast * factor, forecasting.naive_scale(history[moving] * factor)) == (
        pytest.approx(errors, rel=1e-9)
    )


def test_forecasting_each_step_by_the_one_before_has_an_error_of_one_on_its_own_history():
    history = np.random.default_rng(1).poisson(5, (4, 200)) + 1.0
    errors = forecasting.rmsse(history[:, 1:], history[:, :-1], forecasting.naive_scale(history))
    assert errors == pytest.approx(np.ones(4))


def test_series_that_never_change_cannot_be_scaled_by_themselves():
    with pytest.raises(InvalidInput, match="1 series never change"):
        forecasting.rmsse(np.ones((2, 1)), np.ones((2, 1)), np.array([1.0, 0.0]))


@given(arrays(np.float64, 5, elements=st.floats(0, 10)), arrays(np.float64, 5, elements=st.floats(0.01, 10)))
def test_a_weighted_error_lies_between_the_best_and_the_worst(errors, weights):
    found = forecasting.wrmsse(errors, weights)
    assert errors.min() - 1e-9 <= found <= errors.max() + 1e-9
    assert found == pytest.approx(forecasting.wrmsse(errors, weights * 7))


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [float("nan"), 1.0]])
def test_weights_that_weigh_nothing_are_refused(weights):
    with pytest.raises(InvalidInput):
        forecasting.wrmsse(np.ones(2), np.array(weights))


@given(st.integers(1, 9).map(lambda tenth: tenth / 10), st.integers(0, 2**32 - 1))
def test_the_pinball_loss_is_least_at_the_quantile(quantile, seed):
    values = np.random.default_rng(seed).normal(size=101)
    losses = [forecasting.pinball(values, np.full(101, value), quantile).mean() for value in values]
    best = values[int(np.argmin(losses))]
    assert np.mean(values < best) <= quantile <= np.mean(values <= best)


@given(AMOUNTS, AMOUNTS)
def test_half_the_pinball_losses_are_an_absolute_error(actual, forecast):
    both = np.array([actual]), np.array([forecast])
    total = forecasting.pinball(*both, 0.3) + forecasting.pinball(*both, 0.7)
    assert total[0] == pytest.approx(abs(actual - forecast), abs=1e-6)


def test_coverage_counts_both_ends():
    found = forecasting.coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 2.0), np.full(4, 3.0))
    assert (found.value, found.rows) == (0.5, 4)
    assert found.low < 0.5 < found.high


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_interval_score_is_two_pinball_losses(actual, one, other):
    low, high = np.array([min(one, other)]), np.array([max(one, other)])
    at = np.array([actual])
    losses = forecasting.pinball(at, low, 0.05) + forecasting.pinball(at, high, 0.95)
    assert forecasting.interval_score(at, low, high, 0.9)[0] == pytest.approx(losses[0] * 20, rel=1e-6, abs=1e-3)


@given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 12))
def test_origins_hold_the_end_back_and_never_the_same_step_twice(length, horizon, count):
    if length - horizon * count < 1:
        with pytest.raises(InvalidInput, match="to learn from"):
            forecasting.rolling_origins(length, horizon, count)
        return
    cuts = forecasting.rolling_origins(length, horizon, count)
    held = [step for cut in cuts for step in range(cut, cut + horizon)]
    assert held == list(range(length - horizon * count, length))


@pytest.mark.parametrize(
    ("sold", "kind"),
    [
        ([0, 0, 5, 5, 6, 5, 4, 5], "smooth"),
        ([1, 20, 1, 30, 2, 1, 40, 1], "erratic"),
        ([5, 0, 0, 5, 0, 0, 0, 6], "intermittent"),
        ([1, 0, 0, 50, 0, 0, 0, 2], "lumpy"),
        ([0, 0, 0], "none"),
    ],
)
def test_kinds_of_demand(sold, kind):
    assert forecasting.demand_pattern(np.array(sold, dtype=np.float64)) == kind
