import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.conformal import fit_interval
from drivetrain.ops.saying import ends


def drawn(rows, seed):
    """Numbers whose errors grow with them."""
    chance = np.random.default_rng(seed)
    estimate = chance.uniform(0, 100, rows)
    return estimate + chance.normal(0, 1 + estimate / 10), estimate


@given(st.integers(0, 1000), st.sampled_from([0.8, 0.9, 0.95]))
def test_intervals_hold_the_share_of_unseen_truths_that_they_promise(seed, coverage):
    interval = fit_interval(*drawn(2_000, seed), coverage)
    truth, estimate = drawn(5_000, seed + 1)
    low, high = ends(interval, estimate)
    assert ((truth >= low) & (truth <= high)).mean() == pytest.approx(coverage, abs=0.035)


def test_an_interval_is_as_wide_as_it_has_to_be_there():
    low, high = ends(fit_interval(*drawn(5_000, 0), 0.9), np.array([5.0, 95.0]))
    assert high[1] - low[1] > 3 * (high[0] - low[0])


def test_estimates_that_are_all_the_same_have_one_width():
    interval = fit_interval(np.arange(500.0), np.full(500, 250.0), 0.9)
    assert len(interval.knots) == 1


def test_no_rows_make_no_interval():
    with pytest.raises(InvalidInput):
        fit_interval(np.empty(0), np.empty(0), 0.9)
