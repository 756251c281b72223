import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Task
from drivetrain.train.folds import FEWEST, hold_back, plan_folds
from drivetrain.train.learner import Sample


def labels(rows: int, positives: int):
    found = np.zeros(rows, dtype=bool)
    found[np.random.default_rng(0).permutation(rows)[:positives]] = True
    return found


@given(st.integers(40, 400), st.floats(0.25, 0.5))
def test_every_row_is_held_once_in_every_repeat(rows, share):
    label = labels(rows, int(rows * share))
    plan = plan_folds(label, seed=0)
    for repeat in range(plan.repeats):
        held = np.concatenate([fold.held for fold in plan.folds if fold.repeat == repeat])
        assert np.array_equal(np.sort(held), np.arange(rows))
    assert all(not set(fold.fit) & set(fold.held) for fold in plan.folds)
    assert all(label[fold.held].any() and not label[fold.held].all() for fold in plan.folds)


@pytest.mark.parametrize(("rows", "repeats", "steps"), [(4_999, 3, 15), (5_000, 1, 5), (50_000, 1, 4)])
def test_small_sets_are_repeated_and_large_ones_screened(rows, repeats, steps):
    plan = plan_folds(labels(rows, rows // 10), seed=0)
    assert (plan.repeats, len(plan.steps)) == (repeats, steps)
    assert plan.held_share == pytest.approx(len(plan.folds[0].held) / len(plan.folds[0].fit), rel=0.01)
    assert ("repeated 3 times" in plan.protocol) == (repeats == 3)


def test_the_screen_fits_on_a_sample_of_the_first_fold():
    plan = plan_folds(labels(60_000, 6_000), seed=0)
    assert len(plan.screen.fit) == 20_000
    assert set(plan.screen.fit) <= set(plan.folds[0].fit)
    assert np.array_equal(plan.screen.held, plan.folds[0].held)


def test_the_seed_decides():
    label = labels(500, 100)
    same = zip(plan_folds(label, 3).folds, plan_folds(label, 3).folds, strict=True)
    assert all(np.array_equal(one.held, other.held) for one, other in same)
    assert not np.array_equal(plan_folds(label, 3).folds[0].held, plan_folds(label, 4).folds[0].held)


def test_rows_to_stop_on_are_apart_and_of_both_classes():
    label = labels(60, FEWEST)
    fit, stop = hold_back(Sample(np.zeros((60, 1)), label), seed=0)
    assert sorted([*fit, *stop]) == list(range(60))
    assert label[stop].sum() == 2


@pytest.mark.parametrize("positives", [0, FEWEST - 1, 200 - FEWEST + 1, 200])
def test_too_few_cases_of_a_class_are_refused(positives):
    with pytest.raises(InvalidInput):
        plan_folds(labels(200, positives), seed=0)


def test_rare_classes_share_a_stratum_and_common_ones_stand_in_every_fold():
    label = np.concatenate([np.repeat([0, 1], 100), np.arange(2, 14)])
    plan = plan_folds(label, 0, Task.CLASSES)
    assert all({0, 1} <= set(label[fold.held]) for fold in plan.folds)
    assert all((label[fold.held] > 1).any() for fold in plan.folds)


def test_numbers_are_spread_alike_over_the_folds():
    label = np.exp(np.random.default_rng(0).normal(0, 2, 500))
    plan = plan_folds(label, 0, Task.NUMBER)
    medians = [np.median(label[fold.held]) for fold in plan.folds]
    assert max(medians) < 2 * min(medians)


@pytest.mark.parametrize(
    ("task", "label"),
    [(Task.CLASSES, np.concatenate([np.zeros(90), np.arange(1, 10)]).astype(int)), (Task.NUMBER, np.arange(19.0))],
)
def test_too_few_cases_of_other_tasks_are_refused(task, label):
    with pytest.raises(InvalidInput, match="too few cases"):
        plan_folds(label, 0, task)
