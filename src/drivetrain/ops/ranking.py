"""How good an order of choices is, for many who choose: rows are choices, ``groups`` [n] (0 to g - 1) say whose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.metrics import Labels, Numbers

Groups = NDArray[np.int64]


def places_of(score: Numbers, groups: Groups) -> Groups:
    """The place of each row among those of its group, [n], from 0 for the highest score; of equals the first row."""
    order = np.lexsort((np.arange(len(score)), -score, groups))
    starts = np.searchsorted(groups[order], np.arange(int(groups.max(initial=-1)) + 1))
    found = np.empty(len(score), dtype=np.int64)
    found[order] = np.arange(len(score)) - starts[groups[order]]
    return found


def ndcg(score: Numbers, right: Labels, groups: Groups, wanted: Numbers, at: int) -> Numbers:
    """Normalised discounted cumulative gain of the ``at`` highest scores of each group, [g]; NaN where none is right.

    ``wanted`` [g] is how many choices would have been right, whether or not they are rows: what is missing is missed.
    A right choice at place i gains 1 / log2(i + 2); the whole is a share of what the best order gains
    (Järvelin & Kekäläinen 2002).
    """
    place = places_of(score, groups)
    gains = np.where(right & (place < at), 1 / np.log2(place + 2.0), 0.0)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(at) + 2.0))])[np.minimum(wanted, at).astype(np.int64)]
    gained = np.bincount(groups, gains, minlength=len(wanted))
    return np.asarray(np.divide(gained, best, out=np.full(len(wanted), np.nan), where=best > 0))
