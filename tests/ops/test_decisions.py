"""No other threshold is cheaper, and a capacity is never exceeded: checked against trying every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import DecisionRule
from drivetrain.ops.decisions import capacity_threshold, cost_curve, cost_threshold, handed_over_curve, miss_costs
from drivetrain.ops.metrics import costs

prices = st.floats(0.1, 50)


def test_cost_threshold_is_no_dearer_than_any_other(cases):
    @given(cases, prices, prices)
    def holds(both, false_positive, false_negative):
        label, score = both
        chosen = cost_threshold(label, score, false_positive, false_negative)
        cost = costs(label, score >= chosen, false_positive, false_negative).mean()
        for other in [*score, 2.0]:
            assert cost <= costs(label, score >= other, false_positive, false_negative).mean() + 1e-9

    holds()


def test_a_miss_may_cost_differently_in_each_case(cases):
    @given(cases, prices, st.integers(0, 99))
    def holds(both, false_positive, seed):
        label, score = both
        missed = np.random.default_rng(seed).uniform(0, 100, len(label))
        chosen = cost_threshold(label, score, false_positive, missed)
        cost = costs(label, score >= chosen, false_positive, missed).mean()
        for other in [*score, 2.0]:
            assert cost <= costs(label, score >= other, false_positive, missed).mean() + 1e-9

    holds()


def test_what_a_miss_costs_is_read_off_the_row():
    rows = np.array([[1.0, 20.0], [2.0, np.nan]])
    by_amount = DecisionRule("cost", 0.5, 4.0, 0.5, times="amount")
    assert miss_costs(by_amount, ("n", "amount"), rows).tolist() == [10.0, 0.0]
    assert miss_costs(DecisionRule("cost", 0.5, 4.0, 7.0), ("n", "amount"), rows).tolist() == [7.0, 7.0]
    assert miss_costs(DecisionRule("threshold", 0.5), ("n", "amount"), rows).tolist() == [0.0, 0.0]


def test_cost_curve_is_the_cost_at_each_threshold(cases):
    @given(cases, prices, prices)
    def holds(both, false_positive, false_negative):
        label, score = both
        curve = cost_curve(label, score, false_positive, false_negative)
        assert len(curve) == len(set(score)) + 1
        assert (np.diff(curve.x) < 0).all()
        for threshold, cost in zip(curve.x, curve.y, strict=True):
            assert cost == pytest.approx(costs(label, score >= threshold, false_positive, false_negative).mean())

    holds()


def test_calibrated_scores_are_cut_where_theory_says():
    generator = np.random.default_rng(0)
    score = generator.random(60_000)
    label = generator.random(score.size) < score
    assert cost_threshold(label, score, 1.0, 9.0) == pytest.approx(0.1, abs=0.04)


def test_equally_cheap_thresholds_give_the_one_nearest_to_theory():
    label, score = np.array([False, True]), np.array([0.2, 0.9])
    assert cost_threshold(label, score, 1.0, 1.0) == pytest.approx(0.55)


def test_a_threshold_lies_off_the_scores():
    label, score = np.array([False, True, True]), np.array([0.2, 0.6, 0.9])
    assert np.abs(cost_threshold(label, score, 1.0, 1.0) - score).min() > 0.1


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_capacity_is_used_and_never_exceeded(values, share):
    score = np.array(values)
    flagged = int((score >= capacity_threshold(score, share)).sum())
    assert flagged <= share * len(score) + 1e-9
    larger = [int((score >= value).sum()) for value in score if (score >= value).sum() > flagged]
    assert all(count > share * len(score) for count in larger)


def test_capacity_of_distinct_scores_is_exact():
    assert (np.arange(100) / 100 >= capacity_threshold(np.arange(100) / 100, 0.29)).sum() == 29


def test_a_capacity_without_cases_is_refused():
    with pytest.raises(InvalidInput, match="needs rows"):
        capacity_threshold(np.array([]), 0.1)


def test_the_rest_is_right_as_often_as_the_curve_says(cases):
    @given(cases)
    def holds(both):
        right, score = both
        curve = handed_over_curve(right, score)
        assert curve.x[-1] == 0
        for share, accuracy, threshold in zip(curve.x, curve.y, curve.thresholds, strict=True):
            given_out = score >= threshold
            assert share == pytest.approx(1 - given_out.mean())
            assert accuracy == pytest.approx(right[given_out].mean())

    holds()
