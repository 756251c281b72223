"""Drift is measured as scipy measures it, whatever the column: continuous, mostly zero, codes, missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Distribution
from drivetrain.core.task import Task
from drivetrain.ops import drift

numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=False), st.sampled_from([0.0, 1.0, 98.0, float("nan")]))
columns = st.lists(numbers, min_size=1, max_size=200).map(np.array)
counts = st.integers(2, 12).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 400), min_size=n, max_size=n)] * 2))


def spread(counted, missing=0):
    return Distribution("x", tuple(float(cut) for cut in range(len(counted) - 1)), tuple(counted), missing)


@given(columns, st.integers(2, 30))
def test_cuts_rise_and_every_row_has_one_bin(values, bins):
    cuts = drift.cut_points(values, bins)
    assert list(cuts) == sorted(set(cuts))
    assert np.isfinite(cuts).all()
    spread = drift.distribution("x", values, cuts)
    assert len(spread.counts) == len(cuts) + 1
    assert drift.rows(spread) == len(values)
    assert spread.missing == np.isnan(values).sum()
    for index, count in enumerate(spread.counts):
        low = cuts[index - 1] if index else -np.inf
        high = cuts[index] if index < len(cuts) else np.inf
        assert count == ((values >= low) & (values < high)).sum()
        assert count > 0 or np.isnan(values).all()


def test_continuous_values_fill_their_bins_evenly():
    values = np.random.default_rng(0).normal(size=10_000)
    filled = drift.distribution("x", values, drift.cut_points(values, 20)).counts
    assert len(filled) == 20
    assert max(filled) - min(filled) <= 2


def test_a_spike_gets_a_bin_of_its_own_and_the_tail_is_still_seen():
    generator = np.random.default_rng(0)
    values = np.where(generator.random(10_000) < 0.8, 0.0, np.round(generator.exponential(3, 10_000), 1) + 1)
    filled = drift.distribution("x", values, drift.cut_points(values, 20)).counts
    assert filled[0] == (values == 0).sum()
    assert len(filled) >= 10
    assert min(filled) >= 10_000 / 20 / 4


def test_few_distinct_values_have_a_bin_each():
    values = np.repeat([0.0, 1.0, 2.0], [70, 20, 10])
    assert drift.cut_points(values) == (0.5, 1.5)
    assert drift.distribution("x", values, (0.5, 1.5)).counts == (70, 20, 10)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [3.0, 3.0]])
def test_nothing_to_part_gives_no_cut(values):
    assert drift.cut_points(np.array(values)) == ()


def test_neighbouring_floats_are_parted():
    values = np.repeat([1.0, np.nextafter(1.0, 2.0)], 10)
    assert drift.distribution("x", values, drift.cut_points(values)).counts == (10, 10)


def test_codes_and_unknown_text_have_a_bin_each():
    cuts = drift.code_cuts(3)
    assert drift.distribution("x", np.array([-1.0, 0, 0, 1, 2, 2, 2, np.nan]), cuts).counts == (1, 2, 1, 3)
    assert drift.code_cuts(0) == ()


@given(counts, st.integers(0, 50), st.integers(0, 50))
def test_psi_is_not_negative_and_the_same_both_ways(both, missing_before, missing_now):
    before, now = spread(both[0], missing_before), spread(both[1], missing_now)
    if drift.rows(before) and drift.rows(now):
        assert 0 <= drift.psi(before, now) < 50
        assert drift.psi(before, now) == pytest.approx(drift.psi(now, before))


@given(counts, st.integers(1, 9))
def test_psi_of_the_same_shares_is_nothing(both, times):
    before = spread(both[0])
    if drift.rows(before):
        assert drift.psi(before, spread([times * count for count in both[0]])) == pytest.approx(0, abs=1e-12)


def test_psi_by_hand():
    assert drift.psi(spread([500_000, 500_000]), spread([200_000, 800_000])) == pytest.approx(
        0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5), rel=1e-4
    )


def test_values_that_went_missing_are_a_shift():
    before, now = spread([500, 500], missing=10), spread([250, 250], missing=500)
    assert drift.missing_rate(now) == 0.5
    assert drift.psi(before, now) > 1
    assert drift.shift_p_value(before, now) < 1e-100


def test_psi_of_rows_from_the_same_place_is_small_at_200_rows():
    generator = np.random.default_rng(0)
    history = generator.normal(size=100_000)
    cuts = drift.cut_points(history, 20)
    before = drift.distribution("x", history, cuts)
    drawn = [drift.psi(before, drift.distribution("x", generator.normal(size=200), cuts)) for _ in range(200)]
    assert np.quantile(drawn, 0.99) < 0.2


@given(counts)
def test_p_value_of_full_bins_is_scipys(both):
    first, second = (np.array(side) + 60 for side in both)
    table = np.array([first, second])
    if (stats.contingency.expected_freq(table) >= 5).all():
        ours = drift.shift_p_value(spread(first.tolist()), spread(second.tolist()))
        assert ours == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9, abs=1e-300)


@given(counts)
def test_p_value_is_a_chance_and_the_same_both_ways(both):
    before, now = spread(both[0]), spread(both[1])
    if drift.rows(before) and drift.rows(now):
        assert 0 <= drift.shift_p_value(before, now) <= 1
        assert drift.shift_p_value(before, now) == pytest.approx(drift.shift_p_value(now, before))


def test_p_values_of_unchanged_columns_are_uniform_even_with_rare_values():
    generator = np.random.default_rng(1)
    chances = [0.5, 0.3, 0.15, 0.045, 0.004, 0.001]
    before = spread(generator.multinomial(50_000, chances).tolist())
    drawn = [drift.shift_p_value(before, spread(generator.multinomial(300, chances).tolist())) for _ in range(500)]
    assert np.mean(np.array(drawn) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(drawn) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_a_value_never_seen_before_is_a_shift():
    assert drift.shift_p_value(spread([90_000, 30_000, 0]), spread([120, 40, 40])) < 1e-6


def test_one_row_of_a_rare_value_is_no_shift():
    assert drift.shift_p_value(spread([50_000, 50_000, 1]), spread([150, 150, 1])) > 0.5


def test_one_bin_cannot_shift():
    assert drift.shift_p_value(spread([100]), spread([50])) == 1.0


def test_what_cannot_be_compared_is_said():
    with pytest.raises(InvalidInput, match="different cut points"):
        drift.psi(spread([1, 2]), spread([1, 2, 3]))
    with pytest.raises(InvalidInput, match="no rows"):
        drift.psi(spread([1, 2]), spread([0, 0]))


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_its_definition_rejects(p_values, alpha):
    rejected = drift.holm(p_values, alpha)
    rising = sorted(p_values)
    passed = [p <= alpha / (len(p_values) - rank) for rank, p in enumerate(rising)]
    count = passed.index(False) if False in passed else len(passed)
    assert sum(rejected) == count
    assert sorted(p for p, hit in zip(p_values, rejected, strict=True) if hit) == rising[:count]


@given(st.integers(1, 60), st.floats(0, 500))
def testchi_square_tail_is_scipys(degrees, statistic):
    ours = drift.chi_square_tail(statistic, degrees)
    assert ours == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-290)


def test_ranks_of_numbers_go_beyond_the_last_cuts():
    found = Distribution("estimate", (10.0, 20.0, 30.0), (5, 5, 5, 5), 0)
    knots, ranks = drift.score_ranks(found, Task.NUMBER)
    assert knots.tolist() == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert ranks.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    probability = Distribution("score", (0.2, 0.6), (5, 5, 10), 0)
    assert drift.score_ranks(probability)[0].tolist() == [0.0, 0.2, 0.6, 1.0]


def test_the_spread_of_estimates_is_in_their_unit():
    assert drift.score_spread(Distribution("estimate", (10.0, 20.0, 30.0), (5, 5, 5, 5), 0)) == 20.0
    assert drift.score_spread(Distribution("estimate", (), (5,), 0)) == 1.0
