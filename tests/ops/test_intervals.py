"""Intervals cover what they claim to cover, repeat with their seed, and are quick enough for every gate to have one."""

import time

import numpy as np
import pytest
from scipy import stats

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.intervals import bootstrap, bootstrap_difference, bootstrap_mean, wilson
from drivetrain.ops.metrics import log_loss, roc_auc


def test_interval_holds_the_metric_and_repeats_with_its_seed(loans):
    label, score = loans[0][:3000], loans[1][:3000]
    estimate = bootstrap("roc_auc", label, score, rounds=200)
    assert estimate.value == roc_auc(label, score)
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.name, estimate.rows) == ("roc_auc", 3000)
    assert estimate == bootstrap("roc_auc", label, score, rounds=200)
    assert estimate != bootstrap("roc_auc", label, score, rounds=200, seed=1)


def test_interval_of_a_mean_is_that_of_the_central_limit():
    values = np.random.default_rng(0).exponential(size=4000)
    estimate = bootstrap_mean("cost", values, rounds=1000)
    error = stats.sem(values)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    # Normal scores one standard deviation apart have an area of Phi(1 / sqrt 2).
    truth, generator, covered = stats.norm.cdf(1 / np.sqrt(2)), np.random.default_rng(3), 0
    for trial in range(100):
        label = np.arange(300) < 100
        estimate = bootstrap("roc_auc", label, generator.normal(size=300) + label, seed=trial, rounds=100)
        covered += estimate.low <= truth <= estimate.high
    assert 85 <= covered <= 100


def test_difference_is_positive_for_the_better_score_whatever_the_metric(loans):
    label, score = loans[0][:3000], loans[1][:3000]
    worse = np.clip(score + np.random.default_rng(1).normal(0, 0.2, 3000), 0.001, 0.999)
    for metric in ("roc_auc", "average_precision", "log_loss"):
        gain = bootstrap_difference(metric, label, score, worse, rounds=100)
        assert 0 < gain.low < gain.value < gain.high
        loss = bootstrap_difference(metric, label, worse, score, rounds=100)
        assert (loss.low, loss.value, loss.high) == pytest.approx((-gain.high, -gain.value, -gain.low))
    assert bootstrap_difference("log_loss", label, score, worse).value == pytest.approx(
        log_loss(label, worse) - log_loss(label, score)
    )


def test_difference_is_paired(loans):
    label, score = loans[0][:3000], loans[1][:3000]
    same = bootstrap_difference("roc_auc", label, score, score, rounds=50)
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_rounds_that_draw_one_class_do_not_spoil_the_interval():
    estimate = bootstrap("roc_auc", np.array([True, False, False]), np.array([0.9, 0.2, 0.1]), rounds=50)
    assert (estimate.low, estimate.value, estimate.high) == (1, 1, 1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_a_mean_of_nothing_is_refused(values):
    with pytest.raises(InvalidInput, match="cost"):
        bootstrap_mean("cost", np.array(values))


def test_thirty_thousand_rows_take_a_moment(loans):
    start = time.process_time()
    bootstrap("roc_auc", *loans, rounds=300)
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (1, 10), (5, 10), (10, 10), (26, 1000)])
def test_the_interval_of_a_share_is_wilsons(hits, rows):
    oracle = stats.binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    found = wilson("flipped", hits, rows)
    assert (found.value, found.rows) == (hits / rows, rows)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-4)


def test_without_rows_a_share_may_be_anything():
    found = wilson("flipped", 0, 0)
    assert (found.value, found.low, found.high) == (0, 0, 1)
