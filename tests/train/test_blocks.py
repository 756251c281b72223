"""Blocks of rows never stand on both sides of a fold, whatever their sizes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.task import Task
from drivetrain.train.blocks import Blocks, block_folds
from drivetrain.train.folds import hold_back, plan_folds
from drivetrain.train.learner import Sample

CODES = st.lists(st.integers(0, 40), min_size=30, max_size=200).filter(lambda codes: len(set(codes)) >= 5)


@settings(max_examples=50, deadline=None)
@given(CODES, st.booleans(), st.integers(0, 99))
def test_every_row_is_held_once_and_no_block_is_torn(codes, in_order, seed):
    codes = np.array(codes)
    parts = block_folds(Blocks(codes, in_order), np.arange(len(codes)) % 2, 5, seed)
    assert np.array_equal(np.sort(np.concatenate([held for _, held in parts])), np.arange(len(codes)))
    for fit, held in parts:
        assert len(fit)
        assert len(held)
        assert not set(codes[fit]) & set(codes[held])


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_folds_in_order_are_spans_of_time(codes):
    codes = np.array(codes)
    held = [codes[held] for _, held in block_folds(Blocks(codes, in_order=True), codes, 5, 0)]
    assert all(one.max() < other.min() for one, other in pairwise(held))


def test_very_many_blocks_are_dealt_out_by_chance():
    codes = np.arange(6_000) // 2
    parts = block_folds(Blocks(codes), codes, 5, 0)
    assert [len(held) for _, held in parts] == [1_200] * 5
    assert all(not set(codes[fit]) & set(codes[held]) for fit, held in parts)


@pytest.mark.parametrize(("blocks", "folds"), [(1, 5), (2, 2), (3, 3), (60, 5)])
def test_there_are_no_more_folds_than_blocks_and_one_block_is_none(blocks, folds):
    plan = plan_folds(np.arange(60) / 3, 0, Task.NUMBER, Blocks(np.arange(60) % blocks, in_order=True))
    assert len([fold for fold in plan.folds if fold.repeat == 0]) == folds
    assert sorted(row for fold in plan.folds if fold.repeat == 0 for row in fold.held) == list(range(60))


def test_a_plan_keeps_machines_whole_and_a_model_that_knows_them_by_heart_is_found_out():
    machine = np.repeat(np.arange(40), 50)
    label = np.random.default_rng(0).normal(size=40)[machine]
    torn, whole = plan_folds(label, 0, Task.NUMBER), plan_folds(label, 0, Task.NUMBER, Blocks(machine))
    assert all(set(machine[fold.fit]) & set(machine[fold.held]) for fold in torn.folds)
    assert all(not set(machine[fold.fit]) & set(machine[fold.held]) for fold in whole.folds)
    assert (whole.repeats, "5-fold grouped" in whole.protocol) == (3, True)
    timed = plan_folds(label, 0, Task.NUMBER, Blocks(machine, in_order=True))
    assert (timed.repeats, "5-fold time-blocked" in timed.protocol) == (1, True)


def test_rows_to_stop_on_are_of_other_blocks():
    machine = np.repeat(np.arange(10), 20)
    sample = Sample(np.zeros((200, 1)), np.tile([True, False], 100), blocks=machine)
    fit, stop = hold_back(sample, 0)
    assert not set(machine[fit]) & set(machine[stop])
    alone = sample.take(np.flatnonzero(machine == 3))
    assert sorted(np.concatenate(hold_back(alone, 0))) == list(range(20))
