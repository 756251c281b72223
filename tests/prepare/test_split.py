"""Splits are values; by lot they are scikit-learn's own, so that published numbers can be compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import Split as SplitSpec
from drivetrain.prepare.split import (
    ChanceSplit,
    GroupSplit,
    SplitRows,
    StratumSplit,
    TimeSplit,
    in_gap,
    part,
    split_of,
)

LABEL = np.random.default_rng(0).random(400) < 0.3


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        (SplitSpec(by="chance", test=0.3, seed=4), ChanceSplit(0.3, 4)),
        (SplitSpec(), StratumSplit(0.2, 0)),
        (SplitSpec(by="group", column="g", seed=1), GroupSplit(0.2, 1)),
        (SplitSpec(by="time", test=0.1), TimeSplit(0.1)),
    ],
)
def test_the_project_file_names_the_split(spec, made):
    assert split_of(spec) == made


def test_rows_in_the_gap_before_the_test_part_belong_to_neither():
    day = 86_400_000_000
    rows = SplitRows(LABEL, time=np.arange(400) * day // 10)
    test = TimeSplit(0.25).test_rows(rows)
    gap = in_gap(SplitSpec(by="time", test=0.25, gap_days=2.5), rows, test)
    assert np.flatnonzero(test).min() == 300
    assert np.flatnonzero(gap).tolist() == list(range(275, 300))
    assert not in_gap(SplitSpec(by="time", test=0.25), rows, test).any()
    with pytest.raises(ValueError, match="belongs to a split by time"):
        SplitSpec(gap_days=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.05, 0.9), st.booleans())
def test_by_lot_is_train_test_split(seed, share, stratify):
    split = StratumSplit(share, seed) if stratify else ChanceSplit(share, seed)
    _, test = train_test_split(np.arange(400), test_size=share, stratify=LABEL if stratify else None, random_state=seed)
    assert np.flatnonzero(split.test_rows(SplitRows(LABEL))).tolist() == sorted(test)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(2, 60))
def test_groups_stay_whole(seed, groups):
    group = np.random.default_rng(seed).integers(0, groups, 400)
    if len(np.unique(group)) < 2:
        return
    test = GroupSplit(0.5, seed).test_rows(SplitRows(LABEL, group=group))
    assert not set(group[test]) & set(group[~test])
    _, expected = next(GroupShuffleSplit(1, test_size=0.5, random_state=seed).split(LABEL, groups=group))
    assert np.flatnonzero(test).tolist() == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=200).filter(lambda t: len(set(t)) > 1), st.floats(0.05, 0.95))
def test_time_puts_the_newest_share_last(times, share):
    time = np.array(times)
    test = TimeSplit(share).test_rows(SplitRows(np.zeros(len(time), dtype=bool), time=time))
    assert test.any()
    assert not test.all()
    assert time[test].min() > time[~test].max()
    others = [abs(float((time >= moment).mean()) - share) for moment in set(times) - {min(times)}]
    assert abs(float(test.mean()) - share) == pytest.approx(min(others))


@pytest.mark.parametrize(
    ("spec", "rows", "said"),
    [
        (SplitSpec(), SplitRows(np.array([True, False, False, False])), "least populated class"),
        (SplitSpec(by="chance", test=0.2), SplitRows(np.array([True])), "train set will be empty"),
        (SplitSpec(by="group", column="g"), SplitRows(LABEL, group=np.zeros(400, dtype=int)), "all rows are one group"),
        (SplitSpec(by="time"), SplitRows(LABEL, time=np.zeros(400, dtype=int)), "all rows have the same time"),
        (
            SplitSpec(by="time"),
            SplitRows(np.arange(400) < 300, time=np.arange(400)),
            "the test part, 80 of 400 rows, does not hold both classes",
        ),
        (
            SplitSpec(by="time"),
            SplitRows(np.arange(400) > 350, time=np.arange(400)),
            "the training part, 320 of 400 rows, does not hold both classes",
        ),
    ],
)
def test_what_cannot_be_split_is_said(spec, rows, said):
    with pytest.raises(InvalidInput) as caught:
        part(spec, rows)
    assert caught.value.code == "split_impossible"
    assert said in caught.value.message
    assert caught.value.hint
