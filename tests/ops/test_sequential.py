"""Evidence against a bound: never more often wrong than promised, however long one looks, and soon right."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drivetrain.ops.sequential import MeanTests

unit = st.floats(0, 1, allow_subnormal=False)


def _ever_alarmed(values, bound, alpha, *, low=0.0, block=20):
    """Which of the streams [s, n] raise an alarm at any time when one looks after every block."""
    tests = MeanTests(np.full(len(values), bound), low)
    alarmed = np.zeros(len(values), dtype=bool)
    for start in range(0, values.shape[1], block):
        tests.see(values[:, start : start + block])
        alarmed |= tests.alarm(alpha)
    return alarmed


def _first_alarm(values, bound, alpha=0.01, low=0.0):
    tests = MeanTests(bound, low)
    for at, value in enumerate(values):
        tests.see(np.array([[value]]))
        if tests.alarm(alpha)[0]:
            return at + 1
    return None


@pytest.mark.parametrize("bound", [0.01, 0.1, 0.5])
def test_a_stream_at_its_bound_is_seldom_an_alarm_whenever_one_looks(bound):
    values = (np.random.default_rng(3).random((1000, 3000)) < bound).astype(float)
    assert _ever_alarmed(values, bound, alpha=0.1).mean() <= 0.1


def test_the_same_holds_between_minus_one_and_one_and_for_values_that_are_not_whole():
    generator = np.random.default_rng(4)
    signs = generator.choice([-1.0, 0.0, 1.0], size=(1000, 2000), p=[0.15, 0.65, 0.2])
    assert _ever_alarmed(signs, 0.05, alpha=0.1, low=-1.0).mean() <= 0.1
    assert _ever_alarmed(generator.beta(2, 8, (1000, 2000)), 0.2, alpha=0.1).mean() <= 0.1


def test_the_bet_is_fair_at_the_bound():
    """Evidence has mean 1: the average over all outcomes of ten rows, exactly."""
    bound, rows = 0.3, 10
    mean = 0.0
    for ones in range(rows + 1):
        tests = MeanTests(bound)
        tests.count(np.array([ones]), np.array([rows]))
        chance = math.comb(rows, ones) * bound**ones * (1 - bound) ** (rows - ones)
        mean += chance * math.exp(tests.evidence[0])
    assert mean == pytest.approx(1)


def test_far_above_the_bound_a_few_rows_are_enough():
    assert _first_alarm(np.ones(50), 0.1) <= 6
    assert _first_alarm(np.ones(50), 0.5) <= 12
    assert _first_alarm(np.full(200, 0.4), 0.1, low=-1.0) <= 100


def test_it_is_about_as_soon_as_if_it_had_known_the_mean():
    """Betting on the true mean grows by its divergence from the bound a row; the price of not knowing it is small."""
    generator, bound, mean, alpha = np.random.default_rng(5), 0.1, 0.3, 0.01
    divergence = mean * math.log(mean / bound) + (1 - mean) * math.log((1 - mean) / (1 - bound))
    known = -math.log(alpha) / divergence
    needed = [_first_alarm((generator.random(500) < mean).astype(float), bound, alpha) for _ in range(60)]
    assert np.mean(needed) < 2.0 * known


def test_a_change_after_many_good_rows_is_found_almost_as_soon():
    at_start = _first_alarm(np.ones(100), 0.1)
    assert _first_alarm(np.append(np.zeros(3000), np.ones(100)), 0.1) - 3000 <= 3 * at_start


def test_below_its_bound_evidence_stays_low_and_comes_back():
    tests = MeanTests(0.1)
    tests.count(np.array([0]), np.array([2000]))
    assert -4 < tests.evidence[0] < 0


@given(arrays.arrays(float, st.tuples(st.just(3), st.integers(1, 30)), elements=unit))
def test_streams_do_not_touch_each_other(values):
    bounds = np.array([0.1, 0.4, 0.9])
    together = MeanTests(bounds)
    together.see(values)
    for at, bound in enumerate(bounds):
        alone = MeanTests(bound)
        alone.see(values[at : at + 1])
        assert together.evidence[at] == pytest.approx(alone.evidence[0])
        assert together.means[at] == pytest.approx(values[at].mean())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9))
def test_counting_is_seeing(batches):
    seen, counted = MeanTests(0.2), MeanTests(0.2)
    for ones, zeros in batches:
        seen.see(np.array([[1.0] * ones + [0.0] * zeros]))
        counted.count(np.array([ones]), np.array([ones + zeros]))
    assert counted.evidence == pytest.approx(seen.evidence)
    assert counted.rows == seen.rows
    assert counted.means == pytest.approx(seen.means, nan_ok=True)


def test_a_row_of_another_stream_changes_nothing():
    tests = MeanTests([0.1, 0.1])
    tests.see(np.array([[1.0, 1.0], [np.nan, np.nan]]))
    assert tests.evidence[0] > 0
    assert tests.evidence[1] == pytest.approx(0)
    assert tests.rows.tolist() == [2, 0]
    assert np.isnan(tests.means[1])


def test_where_nothing_is_allowed_the_first_is_an_alarm():
    assert _first_alarm([0.0, 0.0, 1.0], 0.0) == 3
    assert _first_alarm(np.ones(100), 1.0) is None


def test_long_streams_neither_overflow_nor_die():
    tests = MeanTests(0.1)
    for _ in range(50):
        tests.see(np.ones((1, 2000)))
    assert np.isfinite(tests.evidence).all()
    for _ in range(50):
        tests.see(np.zeros((1, 2000)))
    assert np.isfinite(tests.evidence).all()


def test_only_zeros_and_ones_are_counted():
    with pytest.raises(AssertionError, match="not counted"):
        MeanTests(0.1, -1.0).count(np.array([1]), np.array([1]))
