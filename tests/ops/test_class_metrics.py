import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.class_metrics import case_class_loss, class_scores, confusion
from drivetrain.ops.links import Softmax
from drivetrain.ops.metrics import measure, weigh


@st.composite
def cases(draw):
    rows, classes = draw(st.integers(1, 60)), draw(st.integers(3, 6))
    chance = np.random.default_rng(draw(st.integers(0, 10_000)))
    return chance.integers(0, classes, rows), Softmax(1.0).apply(chance.normal(0, 2, (rows, classes)))


@given(cases())
def test_metrics_are_those_of_scikit_learn(pair):
    truth, answer = pair
    said, classes = answer.argmax(axis=1), np.arange(answer.shape[1])
    assert measure("accuracy", truth, answer) == pytest.approx(accuracy_score(truth, said))
    assert measure("log_loss", truth, answer) == pytest.approx(log_loss(truth, answer, labels=classes))
    there = np.unique(truth)
    assert measure("macro_f1", truth, answer) == pytest.approx(f1_score(truth, said, labels=there, average="macro"))


@given(cases(), st.integers(0, 5))
def test_a_case_that_counts_twice_is_two_cases(pair, seed):
    truth, answer = pair
    weights = np.random.default_rng(seed).integers(0, 3, len(truth))
    if weights.sum() == 0:
        return
    rows = np.repeat(np.arange(len(truth)), weights)
    for metric in ("accuracy", "macro_f1", "log_loss"):
        weighed = weigh(metric, truth, answer)(weights.astype(float))
        assert weighed == pytest.approx(measure(metric, truth[rows], answer[rows]))


def test_a_class_that_the_model_does_not_know_is_always_wrong():
    answer = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]])
    truth = np.array([-1, 1])
    assert measure("accuracy", truth, answer) == 0.5
    assert case_class_loss(truth, answer)[0] > 30
    assert confusion(truth, answer.argmax(axis=1), 3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_a_class_that_never_occurs_has_no_recall():
    scores = class_scores(confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3))
    assert scores[0].tolist() == pytest.approx([1.0, 0.5, 2 / 3])
    assert np.isnan(scores[2, 1:]).all()


@pytest.mark.parametrize(
    ("truth", "answer"),
    [(np.array([], int), np.empty((0, 3))), (np.array([0]), np.full((1, 3), np.nan)), (np.array([0]), np.ones((2, 3)))],
)
def test_what_cannot_be_measured_is_refused(truth, answer):
    with pytest.raises(InvalidInput):
        measure("accuracy", truth, answer)
