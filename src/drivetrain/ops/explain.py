"""Why a row has its score: Shapley values against a typical row, for any model that scores rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.calibration import log_odds
from drivetrain.ops.metrics import Numbers


def shapley(
    score_fn: Callable[[Numbers], Numbers],
    row: Numbers,
    typical: Numbers,
    *,
    link: Callable[[Numbers], Numbers] = log_odds,
    pairs: int = 8,
    seed: int = 0,
) -> Numbers:
    """What each of the F values of ``row`` adds to the ``link`` of its score, against ``typical``: float64 [F].

    ``score_fn`` takes rows [n, F] to probabilities [n] (or, with ``identity`` for a link, to numbers) and is called
    once, or not at all when the rows are equal. The values add up to ``link(score(row)) - link(score(typical))``; a
    value that is the typical one adds 0.

    In each of ``pairs`` random orders and its reverse, values are put into the typical row one by one; a value adds
    what its step changes, on average (Castro et al. 2009; antithetic pairs: Mitchell et al. 2022). The same seed gives
    the same answer.
    """
    moved = np.flatnonzero(~((row == typical) | (np.isnan(row) & np.isnan(typical))))
    added = np.zeros_like(row, dtype=np.float64)
    if moved.size == 0:
        return added
    generator = np.random.default_rng(seed)
    forward = [generator.permutation(moved) for _ in range(pairs)]
    orders = np.array([*forward, *(order[::-1] for order in forward)])
    steps = np.diff(_along(lambda rows: link(score_fn(rows)), row, typical, orders), axis=1)
    for order, step in zip(orders, steps, strict=True):
        added[order] += step / len(orders)
    return added


def identity(score: Numbers) -> Numbers:
    """The link of a number: the number itself."""
    return score


def _along(linked: Callable[[Numbers], Numbers], row: Numbers, typical: Numbers, orders: NDArray[np.intp]) -> Numbers:
    """Linked scores along each order [orders, moved + 1], from the typical row to the row; each end is scored once."""
    count, moved = orders.shape
    between = np.broadcast_to(typical, (count, moved - 1, len(row))).copy()
    for step in range(1, moved):
        chosen = orders[:, :step]
        np.put_along_axis(between[:, step - 1], chosen, row[chosen], axis=1)
    scores = linked(np.vstack([typical, row, between.reshape(-1, len(row))]))
    path = np.empty((count, moved + 1))
    path[:, 0], path[:, -1] = scores[0], scores[1]
    path[:, 1:-1] = scores[2:].reshape(count, moved - 1)
    return path
