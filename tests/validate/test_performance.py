from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from drivetrain.core.model import DecisionRule
from drivetrain.core.project import GatesSpec
from drivetrain.core.task import Task
from drivetrain.testing.parcels import parcel_graph
from drivetrain.validate.performance import headline, performance


def test_the_table_of_decisions_counts_every_test_row(world):
    evidence = world.evidence(GatesSpec())
    flagged, rest = performance(evidence).tables[0].rows
    assert flagged[1] + rest[1] == 1_600
    assert flagged[2] == (evidence.truth & evidence.decision).sum()
    assert flagged[2] + rest[2] == evidence.truth.sum()
    assert flagged[4] == f"{flagged[2] / flagged[1]:.1%}"


def test_the_headline_has_the_cost_and_the_brier_score(world):
    evidence = world.evidence(GatesSpec())
    found = {estimate.name: estimate.value for estimate in headline(evidence)}
    assert found["brier"] == pytest.approx(np.mean((evidence.score - evidence.truth) ** 2))
    assert found["cost"] == pytest.approx(evidence.cost.mean())


def test_every_test_row_stands_in_each_table_of_classes(carriers):
    evidence = carriers.evidence(GatesSpec())
    decisions, scores, confusions, mistakes = performance(evidence).tables
    assert sum(row[1] for row in decisions.rows) == sum(row[1] for row in scores.rows) == 800
    assert sum(sum(row[1:]) for row in confusions.rows) == 800
    names = confusions.header[1:4]
    hits = {row[0]: row[1 + names.index(row[0])] for row in confusions.rows}
    assert sum(hits.values()) == evidence.came_true.sum()
    said = np.array(evidence.classes)[evidence.answer.argmax(axis=1)]
    true = np.array(evidence.test.label)
    first = mistakes.rows[0]
    place = evidence.classes.index(first[0])
    assert first[2] == ((true == place) & (said == first[1])).sum()
    by_name = {row[0]: row for row in scores.rows}
    precision, recall, f1, _ = precision_recall_fscore_support(true, evidence.answer.argmax(axis=1), labels=[place])
    assert by_name[first[0]][3:] == pytest.approx((precision[0], recall[0], f1[0]))


def test_a_class_that_the_model_does_not_know_stands_beside_the_others(carriers):
    model = carriers.model(
        lambda content: replace(
            content,
            signature=replace(content.signature, classes=("bike", "lorry")),
            graph=parcel_graph(Task.CLASSES, ("bike", "lorry")),
        )
    )
    evidence = carriers.evidence(GatesSpec(), model)
    _, scores, confusions, _ = performance(evidence).tables
    strangers = int((evidence.truth == -1).sum())
    assert scores.rows[-1][:2] == ("not known to the model", strangers)
    assert sum(confusions.rows[-1][1:]) == strangers


def test_the_headline_of_classes_tells_what_is_answered(carriers):
    evidence = carriers.evidence(GatesSpec())
    found = {estimate.name: estimate for estimate in headline(evidence)}
    assert list(found) == [
        "accuracy", "macro_f1", "log_loss", "calibration error", "answered", "accuracy of answered",
    ]  # fmt: skip
    assert found["answered"].value == pytest.approx((evidence.score >= 0.6).mean())
    assert found["accuracy of answered"].value > found["accuracy"].value


def test_handing_over_has_a_price(carriers):
    rule = DecisionRule("hand_over", 0.6, 10.0, 1.0)
    evidence = carriers.evidence(GatesSpec(), carriers.model(lambda content: replace(content, decision=rule)))
    found = {estimate.name: estimate.value for estimate in headline(evidence)}
    wrong = (evidence.decision & ~evidence.came_true).sum()
    assert found["cost"] == pytest.approx((10 * wrong + (~evidence.decision).sum()) / 800)


def test_numbers_are_told_by_size(days):
    evidence = days.evidence(GatesSpec())
    decisions, sizes = performance(evidence).tables
    assert sum(row[1] for row in decisions.rows) == sum(row[2] for row in sizes.rows) == 800
    beyond = evidence.truth >= 8.0
    assert decisions.rows[0][2] == (beyond & evidence.decision).sum()
    assert sizes.rows[-1][4] > sizes.rows[0][4], "far parcels are off by more"
    assert sizes.rows[-1][7] > sizes.rows[0][7], "and their intervals are wider"
    assert [estimate.name for estimate in headline(evidence)] == [
        "r2", "rmse", "mae", "mean error", "coverage", "interval width",
    ]  # fmt: skip
