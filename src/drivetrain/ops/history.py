"""What somebody bought before a moment, item by item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.metrics import Numbers

Places = NDArray[np.intp]
DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, eq=False)
class History:
    """Each item once: its place in the catalogue, in how many baskets it was, and how long ago the last of them, [h].

    ``baskets_ago`` is 0 for what was in the newest basket. ``days_between`` is the mean time between two baskets, NaN
    for less than two; ``idle_days`` the time since the newest, NaN for none.
    """

    items: Places
    times: Numbers
    days: Numbers
    baskets_ago: Numbers
    baskets: int
    idle_days: float
    days_between: float

    def __len__(self) -> int:
        return len(self.items)


def history_of(items: Places, at: NDArray[np.int64], now: int) -> History:
    """The history at ``now`` of purchases [p]: places in the catalogue and moments, microseconds before ``now``.

    An item that is bought twice at one moment was bought once: a basket is what is bought at one moment.
    """
    moments, basket = np.unique(at, return_inverse=True)
    pairs = np.unique(items * (len(moments) + 1) + basket)
    own, basket = np.divmod(pairs, len(moments) + 1)
    known, first, times = np.unique(own, return_index=True, return_counts=True)
    newest = basket[first + times - 1]  # pairs are sorted: the last of an item is its newest basket
    many = len(moments)
    return History(
        items=known,
        times=times.astype(np.float64),
        days=(now - moments[newest]) / DAY if many else np.empty(0),
        baskets_ago=(many - 1 - newest).astype(np.float64),
        baskets=many,
        idle_days=float(now - moments[-1]) / DAY if many else float("nan"),
        days_between=float(moments[-1] - moments[0]) / DAY / (many - 1) if many > 1 else float("nan"),
    )
