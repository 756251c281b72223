"""Which passages answer a question: by the words they share and by what they mean, fused; and how sure that is.

A passage is looked at twice: its question alone, and with its answer. Each gives a ranking by BM25 and, where there is
an embedding, one by the product of two directions; all become one by reciprocal rank fusion. A rank says nothing of
whether the best one is any good. So a passage has a ``score`` from 0 to 1 too: the share of what the words of the
question could count for that it has, and how near its meaning is, in the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.decoding import read_json
from drivetrain.core.passages import Citation, Passage
from drivetrain.ops.bm25 import Bm25, Bm25Index, best
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.fusion import fuse
from drivetrain.ops.model_files import reading
from drivetrain.ops.text_features import Numbers
from drivetrain.ops.text_terms import Terms

FOLDER = "knowledge/"
_SPEC, _GRAPH = FOLDER + "knowledge.json", FOLDER + "embedding.onnx"
_STARTS, _HOLDERS, _GAINS, _DIRECTIONS = "starts.npy", "holders.npy", "gains.npy", "directions.npy"
_DEPTH = 50
"""Of each ranking so many count: what stands further down in one adds next to nothing."""


@dataclass(frozen=True)
class Found:
    """A passage, what it has in common with the question (0 to 1), and whether that is enough to cite it."""

    passage: Passage
    score: float
    is_cited: bool


@dataclass(frozen=True)
class Ranked:
    """Passages by their place: in the order of each ranking by its name, and of all; a score for every one [P]."""

    rankings: Mapping[str, Sequence[int]]
    fused: Sequence[int]
    scores: Numbers


@dataclass(frozen=True, eq=False)
class View:
    """One text of every passage: its words and, where there is an embedding, its direction, float32 [P, E]."""

    words: Bm25Index
    directions: NDArray[np.float32] | None = None

    @cached_property
    def bm25(self) -> Bm25:
        """What searches the words."""
        return Bm25(self.words)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Passages, and how they are searched: ``views`` by the name of what is looked at."""

    passages: tuple[Passage, ...]
    citation: Citation
    views: Mapping[str, View]
    embedding: Embedding | None = None

    def search(self, question: str, k: int, language: str | None = None) -> tuple[Found, ...]:
        """At most ``k`` passages, the best first; of the first ones those are cited that are good enough.

        With a ``language`` those of others are left out, but not those that say none.
        """
        ranked = self.rank(question)
        spoken = (None, "", language)
        found = [item for item in ranked.fused if language is None or self.passages[item].language in spoken][:k]
        cited = [item for item in found if ranked.scores[item] >= self.citation.score][: self.citation.most]
        return tuple(Found(self.passages[item], float(ranked.scores[item]), item in cited) for item in found)

    def rank(self, question: str) -> Ranked:
        """All rankings of the passages for a question."""
        direction = None if self.embedding is None else self.embedding.of(question).astype(np.float32)
        rankings: dict[str, Sequence[int]] = {}
        shares, nears = [np.zeros(len(self.passages))], [np.zeros(len(self.passages))]
        for name, view in self.views.items():
            shared = view.bm25.scores(question)
            rankings[f"words of the {name}"] = _order(shared)
            shares.append(shared / max(view.bm25.most(question), 1e-9))
            if direction is not None and view.directions is not None:
                near = np.clip(view.directions @ direction, 0.0, 1.0).astype(np.float64)
                rankings[f"meaning of the {name}"] = _order(near)
                nears.append(near)
        scores = np.max(shares, axis=0)
        if direction is not None:
            scores = (scores + np.max(nears, axis=0)) / 2
        fused = [item for item, _ in fuse(list(rankings.values()))]
        return Ranked(rankings, fused, scores)

    def files(self) -> dict[str, bytes]:
        """The knowledge as files of a model folder; the same gives the same bytes."""
        embedding = self.embedding
        views = {name: _View(view.words.terms, view.words.known) for name, view in self.views.items()}
        pieces, most = (embedding.vocabulary, embedding.most) if embedding else ((), 0)
        found = {_SPEC: msgspec.json.encode(_Spec(self.passages, self.citation, views, pieces, most)) + b"\n"}
        for name, view in self.views.items():
            place = f"{FOLDER}{name}/"
            found[place + _STARTS] = to_npy(view.words.starts.astype(np.float64))
            found[place + _HOLDERS] = to_npy(view.words.holders.astype(np.float64))
            found[place + _GAINS] = to_npy(view.words.gains)
            if view.directions is not None:
                found[place + _DIRECTIONS] = to_npy(view.directions)
        return found if embedding is None else {**found, _GRAPH: embedding.graph}


def knowledge_from(files: Mapping[str, bytes]) -> Knowledge | None:
    """The knowledge among the files of a model folder, if there is any. Raises InvalidInput when it is damaged."""
    if _SPEC not in files:
        return None
    with reading(FOLDER):
        spec = read_json(files[_SPEC], _Spec)
        embedding = Embedding(files[_GRAPH], spec.pieces, spec.most_pieces) if spec.pieces else None
        views = {
            name: _view_from(files, f"{FOLDER}{name}/", view, len(spec.passages), embedding)
            for name, view in spec.views.items()
        }
    return Knowledge(spec.passages, spec.citation, views, embedding)


class _View(msgspec.Struct):
    terms: Terms
    known: tuple[str, ...]


class _Spec(msgspec.Struct):
    passages: tuple[Passage, ...]
    citation: Citation
    views: dict[str, _View]
    pieces: tuple[str, ...]
    most_pieces: int


def _view_from(files: Mapping[str, bytes], place: str, view: _View, passages: int, embedding: Embedding | None) -> View:
    """Raises KeyError for a file that is missing, ValueError for files that do not fit each other."""
    starts = from_npy(files[place + _STARTS]).astype(np.int64)
    holders = from_npy(files[place + _HOLDERS]).astype(np.int32)
    gains = from_npy(files[place + _GAINS])
    fits = len(starts) == len(view.known) + 1 and starts[0] == 0 and bool((np.diff(starts) > 0).all())
    fits = fits and starts[-1] == len(holders) == len(gains)
    if not fits or (len(holders) and not 0 <= holders.min() <= holders.max() < passages):
        raise ValueError(f"the parts of {place} do not fit each other")
    words = Bm25Index(view.terms, view.known, passages, starts, holders, gains)
    if embedding is None:
        return View(words)
    directions = from_npy(files[place + _DIRECTIONS]).astype(np.float32)
    if directions.shape != (passages, embedding.width):
        raise ValueError(f"directions of {directions.shape} for {passages} passages")
    return View(words, directions)


def _order(scores: Numbers) -> Sequence[int]:
    return [hit.passage for hit in best(scores, _DEPTH)]
