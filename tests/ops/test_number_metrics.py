import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.intervals import bootstrap_difference
from drivetrain.ops.metrics import measure, weigh

CHANCE = np.random.default_rng(0)
ORACLES = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}


@given(st.integers(2, 80), st.integers(0, 10_000), st.sampled_from(sorted(ORACLES)))
def test_metrics_are_those_of_scikit_learn(rows, seed, metric):
    chance = np.random.default_rng(seed)
    truth = chance.normal(3, 2, rows)
    answer = truth + chance.normal(0, 1, rows)
    weights = chance.integers(1, 4, rows).astype(float)
    oracle = ORACLES[metric](truth, answer, sample_weight=weights)
    assert weigh(metric, truth, answer)(weights) == pytest.approx(oracle)


def test_numbers_that_are_all_the_same_have_no_r2():
    assert np.isnan(measure("r2", np.ones(5), np.zeros(5)))


def test_the_smaller_error_is_the_better_one():
    truth = CHANCE.normal(0, 1, 400)
    gain = bootstrap_difference("rmse", truth, truth + CHANCE.normal(0, 0.1, 400), truth + CHANCE.normal(0, 1, 400))
    assert gain.low > 0


def test_an_estimate_that_is_no_number_is_refused():
    with pytest.raises(InvalidInput, match="1 answers are not numbers"):
        measure("mae", np.ones(2), np.array([1.0, np.inf]))
