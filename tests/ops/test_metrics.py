"""Metrics are those of scikit-learn, on every kind of case, and say so where they are not defined."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from drivetrain.core.errors import InvalidInput
from drivetrain.ops import metrics

METRICS = ("roc_auc", "average_precision", "log_loss")
ORACLES = {
    "roc_auc": oracle.roc_auc_score,
    "average_precision": oracle.average_precision_score,
    "log_loss": oracle.log_loss,
}


@pytest.mark.parametrize("metric", METRICS)
def test_metric_is_scikit_learns(metric, cases):
    @given(cases)
    def agrees(both):
        label, score = both
        assert metrics.measure(metric, label, score) == pytest.approx(ORACLES[metric](label, score), rel=1e-9)
        assert getattr(metrics, metric)(label, score) == metrics.measure(metric, label, score)

    agrees()


@pytest.mark.parametrize("metric", METRICS)
def test_weights_count_like_repeated_cases(metric, cases):
    @given(cases, st.integers(0, 2**32 - 1))
    def agrees(both, seed):
        label, score = both
        weights = np.random.default_rng(seed).integers(0, 4, len(label))
        assume(weights.any())  # a bootstrap draws as many cases as there are, never none
        repeated = np.repeat(label, weights)
        weighed = metrics.weigh(metric, label, score)(weights.astype(float))
        if repeated.any() and not repeated.all():
            assert weighed == pytest.approx(metrics.measure(metric, repeated, np.repeat(score, weights)), rel=1e-9)
        elif metric == "roc_auc":
            assert np.isnan(weighed)

    agrees()


def test_curves_hold_the_areas_that_scikit_learn_measures(cases):
    @given(cases)
    def agrees(both):
        label, score = both
        roc, precision_recall = metrics.roc_curve(label, score), metrics.precision_recall_curve(label, score)
        assert np.trapezoid(roc.y, roc.x) == pytest.approx(oracle.roc_auc_score(label, score), abs=1e-12)
        steps = float((np.diff(precision_recall.x) * precision_recall.y[1:]).sum())
        assert steps == pytest.approx(oracle.average_precision_score(label, score), rel=1e-9)
        for x, y, threshold in zip(roc.x, roc.y, roc.thresholds, strict=True):
            flagged = score >= threshold
            assert (x, y) == (flagged[~label].mean(), flagged[label].mean())

    agrees()


def test_cost_counts_each_kind_of_error_at_its_price():
    label = np.array([True, True, False, False])
    decision = np.array([True, False, True, False])
    assert metrics.costs(label, decision, 1.0, 7.0).tolist() == [0.0, 7.0, 1.0, 0.0]


def test_an_answer_that_is_not_given_costs_a_person():
    right, given = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert metrics.hand_over_costs(right, given, 7.0, 1.0).tolist() == [0.0, 1.0, 7.0, 1.0]


@pytest.mark.parametrize(
    ("label", "score", "said"),
    [
        ([], [], "no rows"),
        ([True, False], [0.1], "2 labels do not belong to 1 scores"),
        ([True, False], [0.1, float("nan")], "1 scores are not numbers"),
        ([True, True], [0.1, 0.2], "all 2 labels are true"),
        ([False, False], [0.1, 0.2], "all 2 labels are false"),
    ],
)
def test_what_cannot_be_measured_is_said(label, score, said):
    with pytest.raises(InvalidInput, match=said):
        metrics.roc_auc(np.array(label, dtype=bool), np.array(score))


def test_log_loss_needs_no_second_class_and_knows_its_direction():
    assert metrics.log_loss(np.array([True]), np.array([0.5])) == pytest.approx(np.log(2))
    assert not metrics.higher_is_better("log_loss")
    assert metrics.higher_is_better("roc_auc")
