import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.conformal import fit_interval, fit_rolling_interval, roll, rolling_level
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


def rising(origins, rows, seed):
    """Numbers at one origin after another, whose errors grow from origin to origin."""
    chance = np.random.default_rng(seed)
    origin = np.repeat(np.arange(origins), rows)
    estimate = chance.uniform(0, 10, origins * rows)
    return estimate + chance.normal(0, 1.06**origin), estimate, origin


@pytest.mark.parametrize("seed", range(4))
def test_what_grows_is_held_by_asking_for_more_than_is_promised(seed):
    truth, estimate, origin = rising(9, 1_000, seed)
    known, new = origin < 8, origin == 8

    def held(interval):
        low, high = ends(interval, estimate[new])
        return ((truth[new] >= low) & (truth[new] <= high)).mean()

    rolled = fit_rolling_interval(truth[known], estimate[known], origin[known], 0.9)
    plain = held(fit_interval(truth[known], estimate[known], 0.9))
    assert rolled.coverage == 0.9
    assert plain < held(rolled)
    assert abs(held(rolled) - 0.9) <= abs(plain - 0.9)


def test_a_world_that_stays_is_asked_for_what_is_promised_or_nearly():
    truth, estimate = drawn(4_000, 3)
    origin = np.repeat(np.arange(8), 500)
    assert rolling_level(truth, estimate, origin, 0.9) == pytest.approx(0.9, abs=0.02)
    assert rolling_level(truth, estimate, origin, 0.9, least=0.9) >= 0.9
    assert rolling_level(truth[:1000], estimate[:1000], origin[:1000], 0.9) == 0.9, "two origins say nothing"


def test_where_nothing_can_lie_below_less_is_asked_for():
    """Demand that is mostly 0: the lower ends miss nothing, so the upper ends hold what is promised."""
    chance = np.random.default_rng(5)
    truth = np.where(chance.random(8_000) < 0.7, 0.0, chance.exponential(1.0, 8_000))
    estimate, origin = np.full(8_000, 0.3), np.repeat(np.arange(8), 1_000)
    level = rolling_level(truth, estimate, origin, 0.9)
    assert 0.8 <= level < 0.85
    assert roll(truth, estimate, origin, level).inside.mean() == pytest.approx(0.9, abs=0.01)
    assert roll(truth, estimate, origin, 0.9).inside.mean() > 0.93


def test_every_origin_but_the_first_two_is_held_against_those_before_it():
    truth, estimate, origin = rising(5, 100, 1)
    held = roll(truth, estimate, origin, 0.9)
    assert np.unique(origin[held.rows]).tolist() == [2, 3, 4]
    low, high = ends(fit_interval(truth[origin < 4], estimate[origin < 4], 0.9), estimate[origin == 4])
    assert held.low[-100:].tolist() == low.tolist()
    assert held.high[-100:].tolist() == high.tolist()
    assert len(roll(truth[:200], estimate[:200], origin[:200], 0.9).rows) == 0
