"""What is unusual, learned from rows of which nobody said anything.

A row's distance is measured from the middle of the rows seen so far, by quantities that a few bad rows hardly move. It
is a sum over columns, so its reasons are its parts. How unusual a distance is, ``ops.ranks`` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers

_NORMAL = 1.482602218505602
"""1 / (the 0.75 quantile of the standard normal): makes the median absolute deviation a standard deviation."""
_FEWEST = 20
_FAR = 1e9
"""How many spreads a gap of 1 counts in a column that never varied."""


@dataclass(frozen=True)
class Usual:
    """The middle and the spread of each column, [F]."""

    center: Numbers
    spread: Numbers

    @property
    def steepness(self) -> Numbers:
        """What a gap is multiplied by, [F]: one spread is 1; in a column that never varied any gap is far."""
        return np.divide(1.0, self.spread, out=np.full_like(self.spread, _FAR), where=self.spread > 0)

    def parts(self, rows: Numbers) -> Numbers:
        """How much each column adds to the squared distance: [n, F] -> [n, F]; a missing value adds nothing."""
        gap = np.where(np.isnan(rows), self.center, rows) - self.center
        with np.errstate(over="ignore"):  # as far as can be
            return np.asarray(np.square(gap * self.steepness) / len(self.center))

    def distance(self, rows: Numbers) -> Numbers:
        """How far rows are from the middle, in spreads, root mean square over columns: [n, F] -> [n]."""
        return np.asarray(np.sqrt(self.parts(rows).sum(axis=1)))


def learn_usual(rows: Numbers) -> Usual:
    """What is usual in rows [n, F]: medians and median absolute deviations.

    Where more than half of a column is one value, its spread is the mean absolute deviation instead (as Iglewicz &
    Hoaglin 1993 advise); a column without any value says nothing. NaN is missing. Raises InvalidInput for fewer than
    20 rows.
    """
    if len(rows) < _FEWEST:
        raise InvalidInput("too_few_rows", f"{len(rows)} rows do not say what is usual", hint="bring at least 20")
    silent = np.isnan(rows).all(axis=0)
    known = np.where(silent, 0.0, rows)
    center = np.nanmedian(known, axis=0)
    gap = np.abs(known - center)
    middle = _NORMAL * np.nanmedian(gap, axis=0)
    mean = np.nanmean(gap, axis=0) * np.sqrt(np.pi / 2.0)
    return Usual(center, np.where(silent, np.inf, np.where(middle > 0, middle, mean)))


def isolation_depth(rows: NDArray[np.int64]) -> Numbers:
    """The mean depth at which a random tree sets one of ``rows`` [k] rows apart: c(n) of Liu, Ting & Zhou 2008.

    ``2 H(n - 1) - 2 (n - 1) / n`` with the exact harmonic number; 0 for one row or none.
    """
    largest = int(rows.max(initial=1.0))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, max(2, largest + 1)))])
    count = np.maximum(rows, 1)
    return np.asarray(np.where(count > 1, 2.0 * harmonic[count - 1] - 2.0 * (count - 1) / count, 0.0))
