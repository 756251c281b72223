"""The arithmetic of leaks: how much one column alone, one row, or one group gives away of the label.

Columns come as ``values`` float64 [n]: numbers as they are, text as codes, NaN where missing. ``label`` is bool [n];
``test`` is bool [n], true where a row belongs to the test part. Nothing here decides; callers hold the thresholds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MIN_CLASS = 10
"""Rows of each class below which a perfect ranking may be chance: 1 in 92,378 at 10 against 10."""
LARGEST_COUNT = 2.0**53
SAME_ROW = 0.8
BY_CHANCE = 0.25


@dataclass(frozen=True)
class Levels:
    """A column as its sorted distinct values [k] and, for each row, the index of its value there; -1 is missing."""

    values: Floats
    codes: Codes

    @property
    def present(self) -> Bools:
        """Where a value is given, bool [n]."""
        return np.asarray(self.codes >= 0, dtype=np.bool_)


@dataclass(frozen=True)
class Duplicates:
    """Test rows with a twin in training: their share of all test rows, and pairs of row numbers (test, training)."""

    share: float
    pairs: tuple[tuple[int, int], ...]


def levels(values: Floats) -> Levels:
    """The distinct values of a column and each row's place among them. Sorting once serves every measure here."""
    distinct, codes = np.unique(values, return_inverse=True)
    missing = np.isnan(distinct)
    return Levels(distinct[~missing], np.where(missing[codes], -1, codes).astype(np.int64))


def single_auc(label: Bools, column: Levels) -> float:
    """The best ROC AUC [0.5, 1] of one column alone, in either direction.

    Missing values are put below all others, above all others, and left out (when enough of each class is left).
    """
    codes, top = column.codes, len(column.values)
    best = max(_either_way(label, codes + 1), _either_way(label, np.where(codes < 0, top, codes)))
    known = column.present
    if not known.all() and _enough(label[known]):
        best = max(best, _either_way(label[known], codes[known]))
    return best


def value_auc(label: Bools, column: Levels, test: Bools) -> float:
    """The ROC AUC of the label rate of each value (missing is a value too): learned in training, judged on test.

    Only test rows whose value stands in training count, so that a group's number that gives away the label of its
    other rows scores near 1 however many groups there are. 0.5 when that is less than half of the test rows, or too few
    of a class: a handful of coincidences among numbers that hardly repeat says nothing.
    """
    codes = column.codes + 1
    size = len(column.values) + 1
    seen = np.bincount(codes[~test], minlength=size)
    positives = np.bincount(codes[~test], weights=label[~test], minlength=size)
    judged = test & (seen[codes] > 0)
    if 2 * judged.sum() < test.sum() or not _enough(label[judged], 2 * MIN_CLASS):
        return 0.5
    rates, ranks = np.unique((positives / np.maximum(seen, 1))[codes[judged]], return_inverse=True)
    return _auc(label[judged], ranks) if len(rates) > 1 else 0.5


def explained(label: Floats, column: Levels) -> float:
    """The share of a number's variance that a line through one column explains, where the column has a value."""
    known = column.present
    if known.sum() < MIN_CLASS or len(column.values) < 2 or label[known].std() == 0:
        return 0.0
    values = column.values[column.codes[known]]
    return float(np.corrcoef(label[known], values)[0, 1] ** 2)


def missing_auc(label: Bools, column: Levels) -> float:
    """The ROC AUC [0.5, 1] of knowing only whether the value is missing."""
    return _either_way(label, column.present.astype(np.int64))


def one_class_rows(label: Bools, rows: Bools) -> int:
    """How many ``rows`` there are when every one of them is of the rarer class; 0 otherwise.

    A field that is filled (or empty) only where the rarer thing happened was filled because it happened.
    """
    rarer = label.mean() <= 0.5
    return int(rows.sum()) if rows.any() and bool((label[rows] == rarer).all()) else 0


def mean_encoded(label: Bools, column: Levels) -> float:
    """The natural logarithm of a bound on the chance that the column meets the label's mean as closely as it does.

    An honest score s misses the label rate of the k rows that share it by about d = sqrt(k s (1 - s)) rows; the mean
    of the label itself, put into the data (rounded or a little smoothed), misses it by next to nothing. Hits within a
    fiftieth and within a fifth of d are counted over the values with at least 5 rows expected of each class; their
    chances come from the normal approximation, the tail of their sum from Chernoff's bound. 0 when nothing is odd.
    """
    known = column.present
    rows = np.bincount(column.codes[known], minlength=len(column.values))
    positives = np.bincount(column.codes[known], weights=label[known], minlength=len(column.values))
    score = column.values
    usable = (score > 0) & (score < 1) & (rows * score >= 5) & (rows * (1 - score) >= 5)
    if usable.sum() < 2:
        return 0.0
    k, s = rows[usable], score[usable]
    spread = np.sqrt(k * s * (1 - s))
    off = np.abs(positives[usable] - k * s)
    return min(0.0, *(_log_tail(off, spread, near) + math.log(2) for near in (0.02, 0.2)))


def is_serial(column: Levels) -> bool:
    """Whether the column numbers the rows: whole numbers, each once, with fewer than half of the range left out."""
    rows, values = len(column.codes), column.values
    if len(values) != rows or rows < MIN_CLASS or not bool((values == np.floor(values)).all()):
        return False
    return bool(values[-1] - values[0] < 2 * rows)


def is_hash(column: Levels) -> bool:
    """Whether the column holds numbers that no float64 tells apart, another one in (nearly) every row."""
    rows, values = len(column.codes), column.values
    return rows >= MIN_CLASS and len(values) > 0.99 * rows and bool(np.abs(values).max() > LARGEST_COUNT)


def is_ordered(column: Levels) -> bool:
    """Whether every row's value is above (or every one below) the value of the row before it."""
    steps = np.diff(column.codes)
    return bool(column.present.all()) and len(steps) >= MIN_CLASS and bool((steps > 0).all() or (steps < 0).all())


def shared_groups(groups: Codes, test: Bools) -> Codes:
    """The distinct groups (non-negative codes) that have rows in both parts, sorted."""
    return np.intersect1d(groups[test & (groups >= 0)], groups[~test & (groups >= 0)])


def duplicate_rows(label: Bools, columns: tuple[Levels, ...], test: Bools, limit: int = 5) -> Duplicates:
    """The test rows that also stand in training, equal in every column and in the label, beyond coincidence.

    With few distinct values equal rows are no copies. So a twin counts only if the rarest value of the row is rare
    (at most sqrt(n) rows), at least 80 % of the rows that share that value are equal throughout, and the shares of its
    other values say that fewer than one in four of them should be. ``limit`` bounds the pairs given.
    """
    if len(columns) < 2:
        return Duplicates(0.0, ())
    same = _joint(columns)
    counts = [np.bincount(column.codes + 1)[column.codes + 1] for column in columns]
    rarest = np.min(counts, axis=0)
    others = np.exp(np.sum([np.log(count / len(label)) for count in counts], axis=0) - np.log(rarest / len(label)))
    copied = np.bincount(same)[same] >= np.maximum(2, SAME_ROW * rarest)
    telling = copied & (rarest <= math.sqrt(len(label))) & (others < BY_CHANCE)
    whole = 2 * same + label
    _, first = np.unique(whole[~test], return_index=True)
    train_rows = np.flatnonzero(~test)[first]
    place = np.minimum(np.searchsorted(whole[train_rows], whole), len(train_rows) - 1)
    twin = train_rows[place]
    found = np.flatnonzero(test & telling & (whole[twin] == whole))
    pairs = tuple((int(row), int(twin[row])) for row in found[:limit])
    return Duplicates(len(found) / max(1, int(test.sum())), pairs)


def _joint(columns: tuple[Levels, ...]) -> Codes:
    """One code for each distinct row over all columns, exact."""
    joint = columns[0].codes + 1
    for column in columns[1:]:
        pair = joint * (len(column.values) + 1) + column.codes + 1
        joint = np.unique(pair, return_inverse=True)[1].astype(np.int64)
    return joint


def _log_tail(off: Floats, spread: Floats, near: float) -> float:
    """Chernoff's bound on ln P(so many groups are off by at most 0.25 + near * spread rows)."""
    reach = 0.25 + near * spread
    hits = int((off <= reach).sum())
    chance = np.array([math.erf(width) for width in (reach + 0.5) / (math.sqrt(2) * spread)])
    return min(float(np.log1p(chance * math.expm1(tilt)).sum()) - tilt * hits for tilt in range(31))


def _either_way(label: Bools, ranks: Codes) -> float:
    auc = _auc(label, ranks)
    return max(auc, 1 - auc)


def _auc(label: Bools, ranks: Codes) -> float:
    """The Mann-Whitney statistic with ties at half, from non-negative ranks; 0.5 when a class is absent."""
    positives = np.bincount(ranks, weights=label)
    negatives = np.bincount(ranks) - positives
    pairs = positives.sum() * negatives.sum()
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs) if pairs else 0.5


def _enough(label: Bools, least: int = MIN_CLASS) -> bool:
    positives = int(label.sum())
    return min(positives, len(label) - positives) >= least
