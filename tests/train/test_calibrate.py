import numpy as np
import pytest

from drivetrain.core.task import Task
from drivetrain.ops.calibration import Sigmoid, probability, reliability
from drivetrain.ops.links import Identity, Softmax
from drivetrain.train.calibrate import calibrated
from drivetrain.train.folds import plan_folds
from drivetrain.train.learner import Sample

CHANCE = np.random.default_rng(0)
HONEST = CHANCE.normal(-1.0, 1.5, 6_000)
LABEL = CHANCE.random(6_000) < probability(HONEST)
PLAN = plan_folds(LABEL, seed=0)
SAMPLE = Sample(HONEST[:, None], LABEL)
AS_IT_IS = Sigmoid(1.0, 0.0)


def test_scores_that_are_too_sure_are_mended():
    sure = 3.0 * HONEST + 1.0
    sigmoid, told = calibrated(SAMPLE, sure[None, :], PLAN, "auto")
    assert sigmoid.slope == pytest.approx(1 / 3, abs=0.03)
    assert told.startswith("sigmoid with slope 0.3")
    assert max(abs(part.mean_score - part.rate) for part in reliability(LABEL, sigmoid.apply(sure))) < 0.05


def test_scores_that_are_probabilities_stay_as_they_are():
    sigmoid, told = calibrated(SAMPLE, HONEST[None, :], PLAN, "auto")
    assert sigmoid == AS_IT_IS
    assert told.startswith("none: a sigmoid would not help, out-of-fold log loss 0.")


@pytest.mark.parametrize(("mode", "changed"), [("none", False), ("sigmoid", True)])
def test_what_is_asked_for_is_done(mode, changed):
    sigmoid, _ = calibrated(SAMPLE, HONEST[None, :], PLAN, mode)
    assert (sigmoid != AS_IT_IS) == changed


def test_classes_that_are_too_sure_get_a_temperature():
    honest = CHANCE.normal(0.0, 1.5, (6_000, 4))
    share = Softmax(1.0).apply(honest)
    label = (share.cumsum(axis=1) < CHANCE.random((6_000, 1))).sum(axis=1)
    sample = Sample(honest, label, Task.CLASSES, 4)
    plan = plan_folds(label, 0, Task.CLASSES)
    link, told = calibrated(sample, 3.0 * honest[None], plan, "auto")
    assert link.slope == pytest.approx(1 / 3, abs=0.02)
    assert told.startswith("softmax with temperature 2.9")
    assert calibrated(sample, honest[None], plan, "auto")[0] == Softmax(1.0)


def test_numbers_stay_as_they_are():
    assert calibrated(Sample(HONEST[:, None], HONEST, Task.NUMBER), HONEST[None], PLAN, "auto")[0] == Identity()
