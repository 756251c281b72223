from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivetrain.core.project import Bound, GatesSpec
from drivetrain.core.task import Task
from drivetrain.ops.calibration import reliability
from drivetrain.testing.parcels import parcel_graph
from drivetrain.validate.calibration import calibration, calibration_error


def test_the_error_is_the_distance_of_promise_and_rate_weighted_by_rows(world):
    evidence = world.evidence(GatesSpec())
    bins = reliability(evidence.truth, evidence.score)
    measured = calibration_error(evidence.truth, evidence.score, bins)
    by_hand = sum(part.rows * abs(part.mean_score - part.rate) for part in bins) / len(evidence.truth)
    assert measured.value == pytest.approx(by_hand)
    assert 0 <= measured.low < measured.high


def test_equal_scores_share_their_bin():
    label, score = np.array([True, False, False, True] * 25), np.repeat([0.2, 0.9], 50)
    measured = calibration_error(label, score, reliability(label, score))
    assert measured.value == pytest.approx((abs(0.5 - 0.2) + abs(0.5 - 0.9)) / 2)


def test_a_model_that_promises_too_much_fails(world):
    spec = GatesSpec(calibration=Bound(max=0.05))
    assert calibration(world.evidence(spec)).results[0].verdict == "pass"
    boastful = calibration(world.evidence(spec, world.wrong_model((-1.6, -0.5, 0.3, -0.4, 0.2), bias=0.5)))
    (result,) = boastful.results
    assert result.verdict == "fail"
    assert "came true" in result.detail
    (table,) = boastful.tables
    assert sum(row[-1] for row in table.rows) == 1_600


def test_of_classes_the_likeliest_is_to_be_right_as_often_as_it_promises(carriers):
    spec = GatesSpec(calibration=Bound(max=0.06))
    boastful = carriers.model(
        lambda content: replace(content, graph=parcel_graph(Task.CLASSES, content.signature.classes, 3.0))
    )
    honest, wrong = (calibration(carriers.evidence(spec, model)).results[0] for model in (None, boastful))
    assert (honest.verdict, wrong.verdict) == ("pass", "fail")
