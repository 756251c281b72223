import numpy as np
import pytest

from drivetrain.ops.calibration import probability, reliability
from drivetrain.train.calibrate import AS_IT_IS, calibrated
from drivetrain.train.folds import plan_folds

CHANCE = np.random.default_rng(0)
HONEST = CHANCE.normal(-1.0, 1.5, 6_000)
LABEL = CHANCE.random(6_000) < probability(HONEST)
PLAN = plan_folds(LABEL, seed=0)


def test_scores_that_are_too_sure_are_mended():
    sure = 3.0 * HONEST + 1.0
    sigmoid, told = calibrated(LABEL, sure[None, :], PLAN, "auto")
    assert sigmoid.slope == pytest.approx(1 / 3, abs=0.03)
    assert told.startswith("sigmoid with slope 0.3")
    assert max(abs(part.mean_score - part.rate) for part in reliability(LABEL, sigmoid.apply(sure))) < 0.05


def test_scores_that_are_probabilities_stay_as_they_are():
    sigmoid, told = calibrated(LABEL, HONEST[None, :], PLAN, "auto")
    assert sigmoid == AS_IT_IS
    assert told.startswith("none: a sigmoid would not help, out-of-fold log loss 0.")


@pytest.mark.parametrize(("mode", "changed"), [("none", False), ("sigmoid", True)])
def test_what_is_asked_for_is_done(mode, changed):
    sigmoid, _ = calibrated(LABEL, HONEST[None, :], PLAN, mode)
    assert (sigmoid != AS_IT_IS) == changed
