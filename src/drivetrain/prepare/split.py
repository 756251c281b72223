"""How cases are parted into training and test: five splits, each a value that says which rows are the test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import Split as SplitSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Truth
from drivetrain.ops.truth import strata

_WHERE = "features.split"
_KINDS = {Task.YES_NO: "both classes", Task.CLASSES: "two classes", Task.NUMBER: "two values"}


@dataclass(frozen=True)
class SplitRows:
    """What a split may look at: label [n]; time (microseconds) and group (codes in sorted order) int64 [n].

    ``held`` [n] says what is held back where that is given.
    """

    label: Truth
    task: Task = Task.YES_NO
    time: NDArray[np.int64] | None = None
    group: NDArray[np.int64] | None = None
    held: NDArray[np.bool_] | None = None


class Split(Protocol):
    """A way to part rows, reproducible from its own fields."""

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """Which rows are the test part, bool [n]. Raises InvalidInput when they cannot be parted that way."""
        ...


@dataclass(frozen=True)
class ChanceSplit:
    """A share of the rows by lot: scikit-learn's ``train_test_split`` over the row numbers."""

    test: float
    seed: int

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """See Split."""
        return _by_lot(rows, self.test, self.seed, stratify=False)


@dataclass(frozen=True)
class StratumSplit:
    """By lot within each class, or each tenth of the numbers, of the label: ``train_test_split(..., stratify=...)``.

    Classes with a single row share a stratum.
    """

    test: float
    seed: int

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """See Split."""
        return _by_lot(rows, self.test, self.seed, stratify=True)


@dataclass(frozen=True)
class GroupSplit:
    """A share of the groups by lot, each group whole on one side: scikit-learn's ``GroupShuffleSplit``."""

    test: float
    seed: int

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """See Split."""
        assert rows.group is not None
        if len(np.unique(rows.group)) < 2:
            raise _impossible("all rows are one group", "choose another `column`, or split by stratum")
        parting = GroupShuffleSplit(n_splits=1, test_size=self.test, random_state=self.seed)
        try:
            _, test = next(parting.split(rows.label, groups=rows.group))
        except ValueError as error:
            raise _impossible(str(error), "change `test`, or split by stratum") from None
        return _mask(len(rows.label), test)


@dataclass(frozen=True)
class TimeSplit:
    """The newest share of the rows; rows of one moment stay together, at the boundary nearest to the share."""

    test: float

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """See Split."""
        assert rows.time is not None
        moments, counts = np.unique(rows.time, return_counts=True)
        if len(moments) < 2:
            raise _impossible("all rows have the same time", "choose another `column`, or split by stratum")
        newer = np.cumsum(counts[::-1])[::-1] / len(rows.time)
        first = 1 + int(np.argmin(np.abs(newer[1:] - self.test)))
        return np.asarray(rows.time >= moments[first], dtype=np.bool_)


@dataclass(frozen=True)
class GivenSplit:
    """The rows that are said to be held back."""

    def test_rows(self, rows: SplitRows) -> NDArray[np.bool_]:
        """See Split."""
        assert rows.held is not None
        return rows.held


def split_of(spec: SplitSpec) -> Split:
    """The split that the project file declares."""
    match spec.by:
        case "chance":
            return ChanceSplit(spec.test, spec.seed)
        case "stratum":
            return StratumSplit(spec.test, spec.seed)
        case "group":
            return GroupSplit(spec.test, spec.seed)
        case "time":
            return TimeSplit(spec.test)
        case "given":
            return GivenSplit()
        case _:
            assert_never(spec.by)


def in_gap(spec: SplitSpec, rows: SplitRows, test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows lie in the gap before the test part, bool [n]: they belong to neither part."""
    if not spec.gap_days or rows.time is None:
        return np.zeros(len(test), dtype=np.bool_)
    begins = int(rows.time[test].min()) - round(spec.gap_days * 86_400_000_000)
    return np.asarray(~test & (rows.time >= begins), dtype=np.bool_)


def part(spec: SplitSpec, rows: SplitRows, *, blind: bool = False) -> NDArray[np.bool_]:
    """Which rows are the test part, bool [n].

    Raises InvalidInput when the rows cannot be parted that way, or when a part lacks one class of the label, so that
    nothing could be learned or judged there; who is blind needs no label.
    """
    test = split_of(spec).test_rows(rows)
    if blind:
        return test
    for name, side in (("training", ~test), ("test", test)):
        if len(np.unique(rows.label[side])) < 2:
            kinds = _KINDS[rows.task]
            raise _impossible(
                f"the {name} part, {int(side.sum()):,} of {len(test):,} rows, does not hold {kinds} of the label",
                "change `test` or `seed`, split by stratum, or bring more data",
            )
    return test


def _by_lot(rows: SplitRows, share: float, seed: int, *, stratify: bool) -> NDArray[np.bool_]:
    numbers = np.arange(len(rows.label))
    groups = strata(rows.task, rows.label, 2) if stratify else None
    try:
        _, test = train_test_split(numbers, test_size=share, stratify=groups, random_state=seed)
    except ValueError as error:
        raise _impossible(str(error), "change `test`, or bring more data") from None
    return _mask(len(numbers), test)


def _mask(size: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[rows] = True
    return mask


def _impossible(why: str, hint: str) -> InvalidInput:
    return InvalidInput("split_impossible", f"the rows cannot be split: {why}", where=_WHERE, hint=hint)
