"""BM25: which passages answer a question, by the words they share (Robertson & Zaragoza 2009, section 3).

A passage scores ``sum(idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length)))`` over the terms of the
question that it holds, with ``idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5))``, which is never negative (as Lucene has it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.text_features import Numbers, count_terms
from drivetrain.ops.text_terms import Ids, TermNumbers, Terms

WORDS = Terms("word", strip_accents=True)


@dataclass(frozen=True)
class Hit:
    """A passage, by its place among those that were indexed, and how well it answers."""

    passage: int
    score: float


@dataclass(frozen=True, eq=False)
class Bm25Index:
    """What each term adds to each passage that holds it.

    Term ``t`` adds ``gains[i]`` to passage ``holders[i]``, for ``i`` from ``starts[t]`` to before ``starts[t + 1]``.
    """

    terms: Terms
    known: tuple[str, ...]
    passages: int
    starts: NDArray[np.int64]
    holders: Ids
    gains: Numbers


def index_passages(passages: Sequence[str], terms: Terms = WORDS, *, k1: float = 1.2, b: float = 0.75) -> Bm25Index:
    """The index of passages; ``k1`` says how soon repetition stops to count, ``b`` how much length is held against."""
    numbers = TermNumbers(terms)
    counted = count_terms(passages, numbers)
    texts = len(passages)
    lengths = np.add.reduceat(np.append(counted.counts, 0.0), counted.starts[:-1]) if texts else np.empty(0)
    lengths[np.diff(counted.starts) == 0] = 0.0
    texts_with = counted.texts_with(len(numbers))
    idf = np.log1p((texts - texts_with + 0.5) / (texts_with + 0.5))
    rows = np.repeat(np.arange(texts, dtype=np.int32), np.diff(counted.starts))
    norm = k1 * (1.0 - b + b * lengths / max(lengths.mean(), 1.0)) if texts else lengths
    gains = idf[counted.ids] * counted.counts * (k1 + 1.0) / (counted.counts + norm[rows])
    order = np.argsort(counted.ids, kind="stable")
    starts = np.concatenate([[0], np.cumsum(texts_with)]).astype(np.int64)
    return Bm25Index(terms, numbers.known(), texts, starts, rows[order], gains[order])


class Bm25:
    """Searches an index."""

    def __init__(self, index: Bm25Index) -> None:
        self._index = index
        self._numbers = TermNumbers(index.terms, {term: number for number, term in enumerate(index.known)})
        self._peaks = np.maximum.reduceat(index.gains, index.starts[:-1]) if len(index.gains) else index.gains

    def scores(self, question: str) -> Numbers:
        """The score of every passage; 0 where it shares no term with the question."""
        index = self._index
        scores = np.zeros(index.passages)
        for term in self._numbers.of(question):
            held = slice(index.starts[term], index.starts[term + 1])
            scores[index.holders[held]] += index.gains[held]
        return scores

    def most(self, question: str) -> float:
        """What a passage would score that holds every term of the question as well as any holds it.

        A term that no passage holds counts like the one that counts most.
        """
        known = self._numbers.of(question)
        unknown = len(self._index.terms.of(question)) - len(known)
        return float(self._peaks[known].sum() + unknown * self._peaks.max(initial=1.0))

    def search(self, question: str, k: int) -> tuple[Hit, ...]:
        """At most ``k`` passages that share a term with the question, the best first, the earlier of two that tie."""
        return best(self.scores(question), k)


def best(scores: Numbers, k: int) -> tuple[Hit, ...]:
    """The ``k`` passages of the highest scores above 0, the earlier of two that tie."""
    order = np.argsort(-scores, kind="stable")[:k]
    return tuple(Hit(int(passage), float(scores[passage])) for passage in order if scores[passage] > 0)
