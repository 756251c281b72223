"""Performance where labels have arrived, against scikit-learn and against the release's report."""

from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from drivetrain.core.artifacts import Report


def named(drift, name):
    return next(estimate for estimate in drift.performance if estimate.name == name)


def release_said(world, name, value):
    """Put another report under the release."""
    spread = next(metric for metric in world.report.metrics if metric.name == name)
    said = type(spread)(name, value, value - 0.01, value + 0.01, 4000)
    world.report = Report("risk", "9" * 64, "pass", (said,), (), (world.model.ref,))
    world.release = world.make_release(8)
    world.catalog.put(world.report)
    world.catalog.put(world.release)


def test_labels_that_arrived_are_measured(world, rows, labels):
    inputs, score = rows(1200, seed=2)
    label = labels(score, seed=3)
    ids = world.serve(inputs, score)
    world.tell(ids[:800], label[:800])
    drift = world.watch()
    assert drift.labelled == 800
    assert [estimate.name for estimate in drift.performance] == [
        "roc_auc", "average_precision", "log_loss", "cost", "label_rate",
    ]  # fmt: skip
    for name, oracle in (
        ("roc_auc", roc_auc_score),
        ("average_precision", average_precision_score),
        ("log_loss", log_loss),
    ):
        estimate = named(drift, name)
        assert estimate.value == pytest.approx(oracle(label[:800], score[:800]))
        assert estimate.low < estimate.value < estimate.high
        assert estimate.rows == 800
    decision = score[:800] >= 0.2
    wrong = (decision & ~label[:800]).sum() + 4 * (~decision & label[:800]).sum()
    assert named(drift, "cost").value == pytest.approx(wrong / 800)
    assert named(drift, "label_rate").value == pytest.approx(label[:800].mean())


def test_the_last_label_wins(world, rows, labels):
    inputs, score = rows(400, seed=2)
    label = labels(score, seed=3)
    ids = world.serve(inputs, score)
    world.tell(ids, ~label, later=timedelta(days=1))
    world.tell(ids, label, later=timedelta(days=2))
    world.tell(ids, ~label)
    drift = world.watch()
    assert drift.labelled == 400
    assert named(drift, "roc_auc").value == pytest.approx(roc_auc_score(label, score))


def test_labels_of_nobody_are_ignored(world, rows):
    world.serve(*rows(300, seed=2))
    world.tell(["p9999999", "never heard of"], [True, False])
    assert world.watch().labelled == 0


def test_a_fall_is_an_alarm_even_when_no_input_moved(world, rows, labels):
    inputs, score = rows(1500, seed=2)
    ids = world.serve(inputs, score)
    world.tell(ids, labels(np.full(1500, score.mean()), seed=3))
    drift = world.watch()
    assert drift.verdict == "drifted"
    assert not any(column.alarm for column in drift.columns)
    assert drift.recommendation.startswith("roc_auc went from 0.800 in the release's report to 0.5")
    assert drift.recommendation.endswith("`drivetrain run` retrains on newer data.")


def test_a_log_loss_that_rose_is_an_alarm_and_one_that_fell_is_not(world, rows, labels):
    inputs, score = rows(1500, seed=2)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    loss = named(world.watch(metric="log_loss"), "log_loss").value
    release_said(world, "log_loss", loss + 0.2)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    assert world.watch(metric="log_loss").verdict == "steady"
    release_said(world, "log_loss", loss - 0.2)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    assert world.watch(metric="log_loss").verdict == "drifted"
    assert world.watch(metric="log_loss", max_drop=0.3).verdict == "steady"


def test_a_small_or_uncertain_drop_is_no_alarm(world, rows, labels):
    inputs, score = rows(250, seed=2)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    now = named(world.watch(), "roc_auc")
    release_said(world, "roc_auc", now.high - 0.001)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    assert world.watch(max_drop=0.001).verdict == "steady"
    release_said(world, "roc_auc", now.high + 0.02)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    assert world.watch(max_drop=0.001).verdict == "drifted"


def test_few_labels_are_measured_but_not_judged(world, rows):
    inputs, score = rows(300, seed=2)
    ids = world.serve(inputs, score)
    world.tell(ids[:150], np.arange(150) % 2)
    drift = world.watch()
    assert (drift.labelled, drift.verdict) == (150, "steady")
    assert "150 labels are not enough yet to judge roc_auc" in drift.recommendation


def test_labels_of_one_class_have_no_ranking(world, rows):
    inputs, score = rows(300, seed=2)
    world.tell(world.serve(inputs, score), np.zeros(300))
    drift = world.watch()
    assert [estimate.name for estimate in drift.performance] == ["log_loss", "cost", "label_rate"]
    assert drift.verdict == "steady"


def test_the_newest_labelled_predictions_count_even_when_newer_ones_have_none(world, rows, labels):
    inputs, score = rows(300, seed=2)
    early = world.serve(inputs, score)
    world.serve(*rows(600, seed=4))
    world.tell(early, labels(score, seed=3))
    drift = world.watch(window_rows=250)
    assert (drift.rows, drift.labelled) == (250, 250)


def test_drift_with_labels_says_whether_the_model_still_holds(world, rows, scored, labels):
    inputs, _ = rows(1500, seed=2)
    inputs[:, 1] = np.where(inputs[:, 1] == 0, 1, inputs[:, 1])
    score = scored(inputs)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    release_said(world, "roc_auc", 0.72)
    world.tell(world.serve(inputs, score), labels(score, seed=3))
    drift = world.watch()
    assert drift.verdict == "drifted"
    assert "roc_auc still holds at 0.69" in drift.recommendation


def test_outcomes_that_come_days_later_are_matched_whatever_has_happened_since(world, rows, labels):
    """As in fraud: each outcome is known one to ten days after, in any order, and the journal has moved on long ago."""
    inputs, score = rows(900, seed=2)
    label = labels(score, seed=3)
    ids = world.serve(inputs, score)
    assert world.watch().labelled == 0, "the predictions are in the lake, and nobody knows anything yet"
    world.clock += timedelta(days=1)
    world.serve(*rows(300, seed=5))
    late = np.random.default_rng(6).uniform(1, 10, len(ids))
    for day in range(1, 11):
        known = np.flatnonzero((late > day - 1) & (late <= day))[::-1]
        world.tell([ids[at] for at in known], label[known], later=timedelta(days=day))
        drift = world.watch()
        assert drift.labelled == int((late <= day).sum())
    assert named(drift, "roc_auc").value == pytest.approx(roc_auc_score(label, score))
