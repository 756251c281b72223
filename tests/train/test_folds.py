import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.train.folds import FEWEST, hold_back, plan_folds


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
    fit, stop = hold_back(label, seed=0)
    assert sorted([*fit, *stop]) == list(range(60))
    assert label[stop].sum() == 2


@pytest.mark.parametrize("positives", [0, FEWEST - 1, 200 - FEWEST + 1, 200])
def test_too_few_cases_of_a_class_are_refused(positives):
    with pytest.raises(InvalidInput):
        plan_folds(labels(200, positives), seed=0)
