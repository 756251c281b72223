"""TF-IDF: how often a term stands in a text, against in how many texts it stands at all.

As scikit-learn's TfidfVectorizer with ``smooth_idf`` and ``norm="l2"``: ``tf * idf``, divided by its length, where
``tf`` is the count or, sublinear, ``1 + ln(count)``, and ``idf = 1 + ln((1 + texts) / (1 + texts that hold the term))``
(Salton & Buckley 1988; Manning, Raghavan & Schuetze 2008, chapter 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.text_terms import Ids, TermNumbers, Terms

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class TermCounts:
    """How often each term stands in each text; in compressed sparse rows.

    Text ``i`` holds the terms ``ids[starts[i]:starts[i + 1]]`` (rising), ``counts`` times each.
    """

    starts: NDArray[np.int64]
    ids: Ids
    counts: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def texts_with(self, terms: int) -> NDArray[np.int64]:
        """In how many texts each of ``terms`` terms stands."""
        return np.bincount(self.ids, minlength=terms)


def count_terms(texts: Sequence[str], numbers: TermNumbers) -> TermCounts:
    """The terms of texts by number, those that ``numbers`` knows, or all where it grows."""
    counted = [_counted(numbers.of(text)) for text in texts]
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids, _ in counted], out=starts[1:])
    if not counted:
        return TermCounts(starts, np.empty(0, np.int32), np.empty(0))
    return TermCounts(
        starts, np.concatenate([ids for ids, _ in counted]), np.concatenate([counts for _, counts in counted])
    )


def inverse_frequency(texts: int, texts_with: NDArray[np.int64], rarity: float = 1.0) -> Numbers:
    """The weight of terms that stand in ``texts_with`` [V] of ``texts``, to the power ``rarity``."""
    return np.asarray((np.log((1.0 + texts) / (1.0 + texts_with)) + 1.0) ** rarity)


@dataclass(frozen=True)
class TermWeights:
    """The terms that count, sorted, and the weight (``idf``) of each [V]."""

    terms: Terms
    known: tuple[str, ...]
    idf: Numbers


def learn_weights(texts: Sequence[str], terms: Terms, min_texts: int = 1) -> TermWeights:
    """The terms that stand in at least ``min_texts`` of the texts."""
    numbers = TermNumbers(terms)
    texts_with = count_terms(texts, numbers).texts_with(len(numbers))
    kept = sorted((term, count) for term, count in zip(numbers.known(), texts_with, strict=True) if count >= min_texts)
    counts = np.array([count for _, count in kept], dtype=np.int64)
    return TermWeights(terms, tuple(term for term, _ in kept), inverse_frequency(len(texts), counts))


class TfIdf:
    """Turns texts into TF-IDF, one at a time: the terms of several blocks side by side, each block of length 1."""

    def __init__(self, blocks: Sequence[TermWeights], *, sublinear: bool = True) -> None:
        """Terms are numbered from the first block to the last. ``sublinear``: repetition counts by its logarithm."""
        self._starts = np.cumsum([0, *(len(block.known) for block in blocks)])
        self._numbers = [
            TermNumbers(block.terms, {term: number for number, term in enumerate(block.known, start=start)})
            for block, start in zip(blocks, self._starts.tolist(), strict=False)
        ]
        self._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks)])
        self._sublinear = sublinear

    def of(self, text: str) -> tuple[Ids, Numbers]:
        """The terms of a text that are known, rising, and the TF-IDF of each."""
        ids, counts = _counted(np.concatenate([_NONE, *(numbers.of(text) for numbers in self._numbers)]))
        values = (np.log(counts) + 1.0 if self._sublinear else counts) * self._idf.take(ids)
        bounds = ids.searchsorted(self._starts).tolist()
        for start, end in pairwise(bounds):
            if end > start:
                block = values[start:end]
                block /= math.sqrt(block @ block)
        return ids, values


_NONE = np.empty(0, np.int32)


def _counted(ids: Ids) -> tuple[Ids, Numbers]:
    """Each number once, rising, and how often it is there; sorts what it is given. Faster than ``np.unique``."""
    ids.sort()
    starts = np.empty(len(ids) + 1, dtype=np.bool_)
    starts[0] = starts[-1] = True
    np.not_equal(ids[1:], ids[:-1], out=starts[1:-1])
    bounds = starts.nonzero()[0] if ids.size else np.zeros(1, dtype=np.int64)
    return ids.take(bounds[:-1]), (bounds[1:] - bounds[:-1]).astype(np.float64)
