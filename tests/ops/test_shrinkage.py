import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.metrics import measure
from drivetrain.ops.shrinkage import shrink, standard_error

GROUPS = st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 5)), min_size=2, max_size=30)


@given(GROUPS)
def test_shrinking_never_leaves_the_range_and_never_turns_the_sure_ones_around(groups):
    values, errors = (np.array(column) for column in zip(*groups, strict=True))
    shrunk = shrink(values, errors)
    slack = 1e-9
    assert shrunk.values.min() >= values.min() - slack
    assert shrunk.values.max() <= values.max() + slack
    assert np.ptp(shrunk.values) <= np.ptp(values) + slack
    assert (shrunk.errors <= np.maximum(errors, errors.max()) + slack).all()


def test_groups_that_differ_by_chance_only_become_equal():
    draw = np.random.default_rng(1)
    hits = 0
    for _ in range(50):
        shrunk = shrink(draw.normal(0.8, 0.05, 200), np.full(200, 0.05))
        hits += shrunk.values.min() < 0.72
    assert hits == 0


def test_a_group_that_surely_differs_keeps_its_value_and_an_unsure_one_does_not():
    values, errors = np.array([0.8, 0.81, 0.79, 0.8, 0.4, 0.4]), np.array([0.02, 0.02, 0.02, 0.02, 0.01, 0.3])
    shrunk = shrink(values, errors)
    assert shrunk.values[4] == pytest.approx(0.4, abs=0.01)
    assert shrunk.values[5] > 0.55


def test_one_group_keeps_its_value():
    shrunk = shrink(np.array([0.3]), np.array([0.1]))
    assert (shrunk.values[0], shrunk.errors[0]) == pytest.approx((0.3, 0.1))


def test_the_spread_of_groups_is_recovered():
    draw = np.random.default_rng(2)
    truth = draw.normal(0.8, 0.05, 2_000)
    errors = draw.uniform(0.02, 0.1, 2_000)
    measured = truth + draw.normal(0, errors)
    shrunk = shrink(measured, errors)
    assert np.mean((shrunk.values - truth) ** 2) < 0.6 * np.mean((measured - truth) ** 2)
    assert np.mean(np.abs(shrunk.values - truth) < 1.96 * shrunk.errors) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss"])
def test_standard_errors_are_those_of_repeated_samples(metric):
    draw = np.random.default_rng(3)
    values, errors = [], []
    for _ in range(400):
        label = draw.random(400) < 0.3
        score = 1 / (1 + np.exp(-(draw.normal(size=400) + 1.2 * label - 1.2)))
        values.append(measure(metric, label, score))
        errors.append(standard_error(metric, label, score))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "log_loss"])
def test_standard_errors_of_classes_are_those_of_repeated_samples(metric):
    draw = np.random.default_rng(4)
    values, errors = [], []
    for _ in range(400):
        margin = draw.normal([0.8, 0.0, -0.8], 1.0, (400, 3))
        answer = np.exp(margin) / np.exp(margin).sum(axis=1, keepdims=True)
        truth = (answer.cumsum(axis=1) < draw.random((400, 1))).sum(axis=1)
        values.append(measure(metric, truth, answer))
        errors.append(standard_error(metric, truth, answer))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("metric", ["r2", "rmse", "mae"])
def test_standard_errors_of_numbers_are_those_of_repeated_samples(metric):
    draw = np.random.default_rng(5)
    values, errors = [], []
    for _ in range(400):
        answer = draw.normal(size=400)
        truth = answer + draw.standard_t(8, 400)
        values.append(measure(metric, truth, answer))
        errors.append(standard_error(metric, truth, answer))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_group_without_a_mistake_is_not_sure_beyond_doubt(metric):
    truth = np.arange(60) % 3
    assert 0.01 < standard_error(metric, truth, np.eye(3)[truth]) < 0.05
