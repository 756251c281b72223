"""Several rankings as one (reciprocal rank fusion; Cormack, Clarke & Buettcher 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

RANK_CONSTANT = 60
"""What the paper found to work for all its collections: larger values let lower ranks count for more."""


def fuse(rankings: Sequence[Sequence[int]], constant: int = RANK_CONSTANT) -> tuple[tuple[int, float], ...]:
    """Items with ``sum(1 / (constant + rank))`` over the rankings that hold them (ranks from 1), the best first.

    Of items that tie the one whose number is smaller comes first.
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] += 1.0 / (constant + rank)
    return tuple(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))
