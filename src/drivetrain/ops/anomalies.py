"""What is unusual, learned from rows of which nobody said anything.

A row's distance is measured from the middle of the rows seen so far, by quantities that a few bad rows hardly move; how
unusual a distance is, by its place among those of rows that were kept for it. Both are data (a few numbers a column),
every distance is a sum over columns, so its reasons are its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers

_NORMAL = 1.482602218505602
"""1 / (the 0.75 quantile of the standard normal): makes the median absolute deviation a standard deviation."""


@dataclass(frozen=True)
class Usual:
    """The middle and the spread of each column, [F], and the distances [k], rising, of rows kept for comparison."""

    center: Numbers
    spread: Numbers
    distances: Numbers

    def parts(self, rows: Numbers) -> Numbers:
        """How much each column adds to the squared distance: [n, F] -> [n, F]; a missing value adds nothing.

        Values beyond a column that never varied are as far away as can be: they make the distance infinite.
        """
        gap = np.abs(np.where(np.isnan(rows), self.center, rows) - self.center)
        away = np.divide(gap, self.spread, out=np.where(gap > 0, np.inf, 0.0), where=self.spread > 0)
        return np.asarray(np.square(away) / len(self.center))

    def distance(self, rows: Numbers) -> Numbers:
        """How far rows are from the middle, in spreads, root mean square over columns: [n, F] -> [n]."""
        return np.asarray(np.sqrt(self.parts(rows).sum(axis=1)))

    def p_value(self, rows: Numbers) -> Numbers:
        """The share of usual rows at least so far away, [n]: a rule ``p <= a`` flags at most a share a of usual rows.

        Conformal p-values, (1 + k) / (1 + n) (Bates, Candès, Lei, Romano & Sesia 2023, section 2).
        """
        nearer = np.searchsorted(self.distances, self.distance(rows), side="left")
        return np.asarray((1.0 + len(self.distances) - nearer) / (1.0 + len(self.distances)))


def learn_usual(rows: Numbers, seed: int = 0) -> Usual:
    """What is usual in rows [n, F]: medians and median absolute deviations of one half, distances of the other.

    Where more than half of a column is one value, its spread is the mean absolute deviation instead (as Iglewicz &
    Hoaglin 1993 advise). NaN is missing. Raises InvalidInput for fewer than 20 rows, or a column without any value.
    """
    if len(rows) < 20:
        raise InvalidInput("too_few_rows", f"{len(rows)} rows do not say what is usual", hint="bring at least 20")
    if np.isnan(rows).all(axis=0).any():
        raise InvalidInput("column_empty", "a column has no value at all", hint="leave it out")
    order = np.random.default_rng(seed).permutation(len(rows))
    learned, kept = rows[order[::2]], rows[order[1::2]]
    whole = np.where(np.isnan(learned).all(axis=0), np.nanmedian(rows, axis=0), np.nan)
    learned = np.where(np.isnan(whole), learned, whole)
    center = np.nanmedian(learned, axis=0)
    gap = np.abs(learned - center)
    middle = _NORMAL * np.nanmedian(gap, axis=0)
    mean = np.nanmean(gap, axis=0) * np.sqrt(np.pi / 2.0)
    usual = Usual(center, np.where(middle > 0, middle, mean), np.empty(0))
    return Usual(center, usual.spread, np.sort(usual.distance(kept)))


def isolation_depth(rows: NDArray[np.int64]) -> Numbers:
    """The mean depth at which a random tree sets one of ``rows`` [k] rows apart: c(n) of Liu, Ting & Zhou 2008.

    ``2 H(n - 1) - 2 (n - 1) / n`` with the exact harmonic number; 0 for one row or none.
    """
    largest = int(rows.max(initial=1.0))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, max(2, largest + 1)))])
    count = np.maximum(rows, 1)
    return np.asarray(np.where(count > 1, 2.0 * harmonic[count - 1] - 2.0 * (count - 1) / count, 0.0))
