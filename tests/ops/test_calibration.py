"""The sigmoid is the most likely one, and the bins of reliability hold what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from scipy.special import logit as scipy_logit

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.calibration import (
    Sigmoid,
    fit_sigmoid,
    log_odds,
    probability,
    reliability,
)


@given(st.lists(st.floats(-800, 800), min_size=1))
def test_probability_is_scipys_expit(values):
    assert probability(np.array(values)) == pytest.approx(expit(values), rel=1e-12, abs=1e-300)


@given(st.lists(st.floats(1e-9, 1 - 1e-9), min_size=1))
def test_log_odds_are_scipys_and_turn_back(values):
    assert log_odds(np.array(values)) == pytest.approx(scipy_logit(values), rel=1e-9, abs=1e-12)
    assert probability(log_odds(np.array(values))) == pytest.approx(values, rel=1e-9)


def test_log_odds_of_certainty_are_finite():
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_sigmoid_is_the_most_likely_one(cases):
    @given(cases)
    def agrees(both):
        label, score = both
        logit = log_odds(np.clip(score, 1e-6, 1 - 1e-6))
        true, false = label.sum(), (~label).sum()
        target = np.where(label, (true + 1) / (true + 2), 1 / (false + 2))

        def loss(found):
            fitted = found[0] * logit + found[1]
            return float((np.logaddexp(0, fitted) - target * fitted).sum())

        ours = fit_sigmoid(label, logit)
        assert loss((ours.slope, ours.intercept)) <= minimize(loss, [1.0, 0.0]).fun + 1e-9

    agrees()


def test_sigmoid_finds_the_distortion_it_mends():
    generator = np.random.default_rng(0)
    logit = generator.normal(-1, 2, 40_000)
    label = generator.random(logit.size) < probability(logit)
    found = fit_sigmoid(label, 3 * logit + 1)
    assert (found.slope, found.intercept) == pytest.approx((1 / 3, -1 / 3), abs=0.03)
    assert _furthest_off(label, found.apply(3 * logit + 1)) < 0.02
    assert _furthest_off(label, probability(3 * logit + 1)) > 0.1


def _furthest_off(label, score):
    return max(abs(part.mean_score - part.rate) for part in reliability(label, score))


def test_a_sigmoid_of_one_changes_nothing():
    logit = np.linspace(-5, 5, 11)
    assert Sigmoid(1.0, 0.0).apply(logit) == pytest.approx(probability(logit))


def test_one_class_has_no_sigmoid():
    with pytest.raises(InvalidInput, match="all 3 labels are true"):
        fit_sigmoid(np.ones(3, dtype=bool), np.zeros(3))


def test_bins_have_equal_counts_and_ties_stay_together():
    score = np.arange(100) / 100
    parts = reliability(score > 0.5, score, bins=10)
    assert [part.rows for part in parts] == [10] * 10
    assert (parts[0].low, parts[0].high, parts[0].mean_score, parts[0].rate) == (0.0, 0.09, pytest.approx(0.045), 0.0)
    (only,) = reliability(np.array([True, False]), np.array([0.3, 0.3]), bins=10)
    assert (only.rows, only.rate) == (2, 0.5)


def test_reliability_does_not_depend_on_the_order_of_the_cases(cases):
    @given(cases, st.randoms(use_true_random=False))
    def agrees(both, chance):
        label, score = both
        order = list(range(len(label)))
        chance.shuffle(order)
        parts, again = reliability(label, score), reliability(label[order], score[order])
        assert sum(part.rows for part in parts) == len(label)
        assert [(part.low, part.high, part.rate, part.rows) for part in parts] == [
            (part.low, part.high, part.rate, part.rows) for part in again
        ]
        assert [part.mean_score for part in again] == pytest.approx([part.mean_score for part in parts])

    agrees()
