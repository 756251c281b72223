import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.task import Task
from drivetrain.ops.class_metrics import case_class_loss
from drivetrain.ops.links import Identity, Softmax, fit_softmax, plain_link


@given(st.integers(0, 1000), st.floats(0.05, 20))
def test_the_temperature_is_the_likeliest(seed, scale):
    chance = np.random.default_rng(seed)
    margin = chance.normal(0, 1, (400, 4))
    share = Softmax(2.0).apply(margin)
    truth = (share.cumsum(axis=1) < chance.random((400, 1))).sum(axis=1)
    slope = fit_softmax(truth, margin * scale).slope
    losses = [
        case_class_loss(truth, Softmax(s).apply(margin * scale)).mean() for s in (slope, slope * 1.01, slope / 1.01)
    ]
    assert losses[0] == min(losses)


def test_probabilities_add_up_whatever_the_size():
    share = Softmax(1.0).apply(np.array([[1e300, 0.0, -1e300], [1.0, 1.0, 1.0]]))
    assert share.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])


def test_each_task_has_its_link():
    assert plain_link(Task.NUMBER) == Identity()
    assert plain_link(Task.CLASSES) == Softmax(1.0)
    assert plain_link(Task.YES_NO).apply(np.array([0.0])).tolist() == [0.5]
