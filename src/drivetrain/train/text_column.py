"""A column of free text to learn from: its terms are counted once, and its meaning worked out once, for all folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from drivetrain.ops.embedding import Embedding
from drivetrain.ops.text_features import Numbers, TermCounts, TermWeights, count_terms, inverse_frequency
from drivetrain.ops.text_terms import TermNumbers, Terms

Rows = NDArray[np.intp]
T = TypeVar("T")


class TextColumn:
    """Texts [n]; a missing one counts as an empty one. What is taken of it shares what was worked out."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._all = _Whole(texts)
        self._rows: Rows = np.arange(len(texts))

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: Rows) -> TextColumn:
        """These rows, in this order."""
        taken = TextColumn(())
        taken._all, taken._rows = self._all, self._rows[rows]
        return taken

    def texts(self) -> list[str]:
        """The texts themselves."""
        return [self._all.texts[row] for row in self._rows]

    def weights(self, terms: Terms, min_texts: int, rarity: float = 1.0) -> TermWeights:
        """What ``ops.text_features.learn_weights`` learns of these rows; ``rarity`` is a power of the weights."""
        counted = self._all.counted(terms)
        texts_with = np.bincount(counted.counts[self._rows].indices, minlength=len(counted.known))
        kept = np.flatnonzero(texts_with >= min_texts)
        idf = inverse_frequency(len(self), texts_with[kept], rarity)
        return TermWeights(terms, tuple(counted.known[at] for at in kept), idf)

    def tf_idf(self, weights: TermWeights) -> sparse.csr_matrix:
        """The TF-IDF of these rows [n, V], as a sublinear ``ops.text_features.TfIdf`` has it."""
        counted = self._all.counted(weights.terms)
        found = counted.counts[self._rows][:, [counted.places[term] for term in weights.known]]
        found.data = (np.log(found.data) + 1.0) * weights.idf[found.indices]
        lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        return sparse.csr_matrix(sparse.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ found)

    def embedded(self, embedding: Embedding) -> Numbers:
        """The meaning of these rows [n, E]."""
        return self._all.embedded(embedding)[self._rows]


@dataclass(frozen=True)
class _Counted:
    """All terms of a column, sorted, the place of each, and how often each stands in each text [n, V]."""

    known: tuple[str, ...]
    places: Mapping[str, int]
    counts: sparse.csr_matrix


class _Whole:
    """All texts of a column, and what is worked out of them when it is first asked for, by one thread at a time."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        self.texts = [text or "" for text in texts]
        self._lock = Lock()
        self._counted: dict[Terms, _Counted] = {}
        self._embedded: dict[int, tuple[Embedding, Numbers]] = {}

    def counted(self, terms: Terms) -> _Counted:
        with self._lock:
            if terms not in self._counted:
                numbers = TermNumbers(terms)
                counts = count_terms(self.texts, numbers)
                self._counted[terms] = _sorted(numbers.known(), counts)
            return self._counted[terms]

    def embedded(self, embedding: Embedding) -> Numbers:
        with self._lock:
            if id(embedding) not in self._embedded:
                found = np.array([embedding.of(text) for text in self.texts]).reshape(len(self.texts), -1)
                self._embedded[id(embedding)] = embedding, found
            return self._embedded[id(embedding)][1]


def _sorted(known: tuple[str, ...], counts: TermCounts) -> _Counted:
    """The terms in the order of the alphabet, whatever order they were met in."""
    order = sorted(range(len(known)), key=known.__getitem__)
    terms = tuple(known[at] for at in order)
    places = np.empty(len(known), dtype=np.int32)
    places[order] = np.arange(len(known), dtype=np.int32)
    matrix = sparse.csr_matrix((counts.counts, places[counts.ids], counts.starts), shape=(len(counts), len(known)))
    matrix.sort_indices()
    return _Counted(terms, {term: at for at, term in enumerate(terms)}, matrix)
