"""Tests that may be looked at after every row and stopped at any: is the mean of a stream above a bound?

A gambler bets, row by row, that the next value lies above the bound, at odds that are fair when the mean is the bound.
While the mean is at most that, the capital is a nonnegative supermartingale, and the chance that it ever reaches
1 / alpha, at whatever time one looks, is at most alpha (Ville 1939). Capital is evidence: an e-value (Waudby-Smith &
Ramdas 2023, "Estimating means of bounded random variables by betting").

The capital is spread over a few fixed stakes, one of them nothing. After each row a small share of it is dealt out anew
(the fixed share of Herbster & Warmuth 1998), which is again only a bet: a stream that goes wrong after a thousand good
rows is found almost as soon as one that is wrong from the start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivetrain.ops.metrics import Labels, Numbers

Counts = NDArray[np.int64]

_STAKES = np.array([0.0, 0.01, 0.03, 0.1, 0.3, 0.9])
"""What part of its capital each bet loses on the lowest possible value. The best part for a mean p of zeros and ones is
(p - bound) / (1 - bound): from a little above the bound to everything."""

_LEAST = 1e-6
"""A bound at the very bottom stands this far above it: the first value above zero is an alarm."""


class MeanTests:
    """Tests of many streams [s] side by side. Of each: that its values, from ``low`` to 1, have a mean above ``bound``.

    ``horizon`` is after how many rows a change should be found as well as at the start. After each call ``evidence``
    [s] is the natural logarithm of each stream's capital, that began as 1; ``rows`` [s] and ``means`` [s] say what was
    seen (a mean of no rows is NaN).
    """

    def __init__(self, bounds: ArrayLike, lows: ArrayLike = 0.0, horizon: int = 2000) -> None:
        given = np.atleast_1d(np.asarray(bounds, dtype=np.float64))
        lows = np.broadcast_to(np.asarray(lows, dtype=np.float64), given.shape)
        self._bounds = np.maximum(given, lows + _LEAST)
        # [bets, s]: NumPy adds up over the first axis in whole lanes
        self._bets = _STAKES[:, None] / (self._bounds - lows)
        self._one = np.log1p(self._bets * (1 - self._bounds))
        self._zero = np.log1p(-self._bets * self._bounds) if not lows.any() else None
        self._shares = np.full(self._bets.shape, 1 / _STAKES.size)
        self._kept = np.log1p(-1 / max(2, horizon))
        self._sums = np.zeros(given.size)
        self.rows: Counts = np.zeros(given.size, dtype=np.int64)
        self.evidence: Numbers = np.zeros(given.size)

    @property
    def means(self) -> Numbers:
        """The mean of each stream so far [s]; NaN without rows."""
        return np.where(self.rows > 0, self._sums / np.maximum(1, self.rows), np.nan)

    def see(self, values: Numbers) -> None:
        """The next values of every stream [s, n], in order; NaN where a row is none of that stream."""
        other = np.isnan(values)
        # what stands at the bound neither wins nor loses
        above = np.where(other, 0.0, values - self._bounds[:, None])
        rows = values.shape[1] - other.sum(axis=1)
        self._sums += above.sum(axis=1) + rows * self._bounds
        self._grow(np.log1p(self._bets[:, :, None] * above).sum(axis=2), rows)

    def count(self, ones: Counts, rows: Counts) -> None:
        """The next ``rows`` [s] of every stream of zeros and ones, of which so many were ``ones`` [s]."""
        assert self._zero is not None, "streams that begin below zero are not counted"
        self._sums += ones
        self._grow(ones * self._one + (rows - ones) * self._zero, rows)

    def alarm(self, alpha: ArrayLike) -> Labels:
        """Which streams' means are above the bound [s]; of one at its bound that is ever said with chance ``alpha``."""
        return np.asarray(self.evidence >= -np.log(alpha))

    def _grow(self, gains: Numbers, rows: Counts) -> None:
        """Capital grows by ``gains`` [bets, s] (logarithms), and a share of it is dealt out anew for each row."""
        best = gains.max(axis=0)
        shares = self._shares * np.exp(gains - best)
        total = shares.sum(axis=0)
        self.evidence += best + np.log(total)
        self.rows += rows
        kept = np.exp(self._kept * rows)
        self._shares = shares * (kept / total) + (1 - kept) / _STAKES.size
