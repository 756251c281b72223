"""Folds where some rows must stay together: those of a machine, of a customer, of a day.

Rows of one block are alike in ways that no new block shares, so a model that saw half of it is judged too well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

from drivetrain.train.learner import Rows

_FEW = 1_000
"""Up to so many blocks are dealt out so that each fold gets its share of every stratum; of more, chance sees to it."""


@dataclass(frozen=True)
class Blocks:
    """Which rows stay together: ``codes`` int64 [n]. ``in_order``: codes rise with time, and folds are spans of it."""

    codes: NDArray[np.int64]
    in_order: bool = False

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(np.unique(self.codes))


def block_folds(blocks: Blocks, strata: NDArray[np.int64], folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Rows to fit on and rows to judge on, for each fold; no block stands on both sides.

    Spans of time are judged by what came before and after them (hv-block cross-validation without a gap; Racine 2000).
    There must be at least as many blocks as folds.
    """
    if not blocks.in_order and blocks.count <= _FEW:
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return [(fit, held) for fit, held in parts.split(np.zeros((len(strata), 1)), strata, blocks.codes)]
    place = _spans(blocks.codes, folds) if blocks.in_order else _dealt(blocks.codes, folds, seed)
    return [(np.flatnonzero(place != fold), np.flatnonzero(place == fold)) for fold in range(folds)]


def block_hold_back(codes: NDArray[np.int64], share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to fit on and a share of the blocks [n] to stop on; at least two blocks must be there."""
    parting = GroupShuffleSplit(1, test_size=share, random_state=seed)
    fit, stop = next(parting.split(codes, groups=codes))
    return fit, stop


def _spans(codes: NDArray[np.int64], folds: int) -> NDArray[np.intp]:
    """The fold [n] of each row: spans of nearly equal count, each of one block at least."""
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    wanted = ((np.cumsum(counts) - counts / 2) * folds / len(codes)).astype(np.intp)
    spans = np.zeros(len(counts), dtype=np.intp)
    for block in range(1, len(counts)):
        least = folds - (len(counts) - block)  # one block at least for each fold that is still to come
        spans[block] = max(least, min(max(wanted[block], spans[block - 1]), spans[block - 1] + 1))
    return np.asarray(spans[place])


def _dealt(codes: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.intp]:
    _, place = np.unique(codes, return_inverse=True)
    order = np.random.default_rng(seed).permutation(place.max() + 1)
    return np.asarray((order % folds)[place])
