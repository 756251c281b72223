"""Labels for the words of a document: a linear model of each word and of neighbouring labels, learned by a perceptron.

The averaged structured perceptron of Collins (2002, "Discriminative Training Methods for Hidden Markov Models") over
labels of the BIO form: ``B-total`` begins a field, ``I-total`` goes on with it, ``O`` is none. At rest it is NumPy
arrays and text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Codes = NDArray[np.int64]
NONE = "O"
Marks = Sequence[str]
"""What is seen of a word, in words of one's own."""


@dataclass(frozen=True)
class Marked:
    """A document to learn from: what is seen of each word, and its label."""

    seen: Sequence[Marks]
    labels: Sequence[str]


@dataclass(frozen=True, eq=False)
class Tagger:
    """A learned tagger. ``weights`` [F, L] of each mark for each label, ``moves`` [L, L] from one label to the next."""

    labels: tuple[str, ...]
    marks: tuple[str, ...]
    weights: Numbers
    moves: Numbers

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {mark: code for code, mark in enumerate(self.marks)}

    def tag(self, seen: Sequence[Marks]) -> tuple[list[str], NDArray[np.float64]]:
        """The likeliest labels of the words of a document, and by how much each beats every other one there (>= 0)."""
        if not seen:
            return [], np.zeros(0)
        votes = np.zeros((len(seen), len(self.labels)), dtype=np.float32)
        for at, marks in enumerate(seen):
            known = [code for mark in marks if (code := self._codes.get(mark)) is not None]
            votes[at] = self.weights[known].sum(axis=0)
        best = _best(votes, self.moves)
        return [self.labels[code] for code in best], _margins(votes, self.moves, best)

    def to_bytes(self) -> bytes:
        """The tagger as a file (.npz, without pickles)."""
        file = io.BytesIO()
        np.savez_compressed(
            file, labels=_letters(self.labels), marks=_letters(self.marks), weights=self.weights, moves=self.moves
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Tagger:
        """The tagger in a file. Raises ValueError when it is none."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                labels, marks = _words(found["labels"]), _words(found["marks"])
                weights, moves = found["weights"].astype(np.float32), found["moves"].astype(np.float32)
        except (OSError, KeyError, EOFError, ValueError, TypeError, AttributeError, BadZipFile) as error:
            raise ValueError(f"this is no tagger: {error}") from error
        if weights.shape != (len(marks), len(labels)) or moves.shape != (len(labels), len(labels)):
            raise ValueError("this is no tagger: its parts do not fit each other")
        if not (np.isfinite(weights).all() and np.isfinite(moves).all()):
            raise ValueError("this is no tagger: a weight is no number")
        return cls(labels, marks, weights, moves)


def learn(documents: Sequence[Marked], *, rounds: int = 12, seed: int = 0, least: int = 2) -> Tagger:
    """A tagger for these documents, which are gone through ``rounds`` times; ``least``: how often a mark must be seen.

    The same documents and seed give the same bytes. Raises ValueError without a document that has a field.
    """
    labels = _labels(documents)
    if len(labels) < 2:
        raise ValueError("no document has a marked field")
    marks = _frequent(documents, least)
    codes, label_codes = {mark: at for at, mark in enumerate(marks)}, {label: at for at, label in enumerate(labels)}
    coded = [_Coded.of(one, codes, label_codes) for one in documents if one.seen]
    learning = _Learning(len(marks), len(labels))
    chance = np.random.default_rng(seed)
    for _ in range(rounds):
        for at in chance.permutation(len(coded)):
            learning.see(coded[at])
    weights, moves = learning.averaged()
    used = np.flatnonzero(np.abs(weights).max(axis=1) > 0)
    return Tagger(labels, tuple(marks[at] for at in used), weights[used], moves)


@dataclass(frozen=True, eq=False)
class _Coded:
    """A document as numbers: the codes of all marks one word after the other, where each word's begin, the labels."""

    flat: Codes
    starts: Codes
    lengths: Codes
    labels: Codes

    @classmethod
    def of(cls, one: Marked, codes: dict[str, int], labels: dict[str, int]) -> _Coded:
        found = [[codes[mark] for mark in marks if mark in codes] for marks in one.seen]
        lengths = np.array([len(word) for word in found], dtype=np.int64)
        flat = np.array([code for word in found for code in word], dtype=np.int64)
        truth = np.array([labels[label] for label in one.labels], dtype=np.int64)
        return cls(flat, np.cumsum(lengths) - lengths, lengths, truth)

    def votes(self, weights: Numbers) -> Numbers:
        """[words, L]"""
        found = np.zeros((len(self.labels), weights.shape[1]), dtype=np.float32)
        np.add.at(found, np.repeat(np.arange(len(self.labels)), self.lengths), weights[self.flat])
        return found

    def marks_of(self, words: Codes) -> tuple[Codes, Codes]:
        """The marks of some words, and for each of them the place of its word among these."""
        pieces = [self.flat[self.starts[word] : self.starts[word] + self.lengths[word]] for word in words]
        owners = np.repeat(np.arange(len(words)), self.lengths[words])
        return (np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)), owners


class _Learning:
    """Weights while they are learned, and what makes their average over all steps."""

    def __init__(self, marks: int, labels: int) -> None:
        self._weights, self._moves = np.zeros((marks, labels), np.float32), np.zeros((labels, labels), np.float32)
        self._late_weights, self._late_moves = np.zeros((marks, labels)), np.zeros((labels, labels))
        self._step = 1

    def see(self, one: _Coded) -> None:
        """Learn from a document: away from what was said, towards what is true."""
        said = _best(one.votes(self._weights), self._moves)
        wrong = np.flatnonzero(said != one.labels)
        if len(wrong):
            flat, owners = one.marks_of(wrong)
            for label, change in ((one.labels[wrong][owners], 1.0), (said[wrong][owners], -1.0)):
                np.add.at(self._weights, (flat, label), change)
                np.add.at(self._late_weights, (flat, label), change * self._step)
            for path, change in ((one.labels, 1.0), (said, -1.0)):
                np.add.at(self._moves, (path[:-1], path[1:]), change)
                np.add.at(self._late_moves, (path[:-1], path[1:]), change * self._step)
        self._step += 1

    def averaged(self) -> tuple[Numbers, Numbers]:
        """The mean of the weights over all steps."""
        return (
            (self._weights - self._late_weights / self._step).astype(np.float32),
            (self._moves - self._late_moves / self._step).astype(np.float32),
        )


def _best(votes: Numbers, moves: Numbers) -> Codes:
    """The labels whose votes and moves add up to most (Viterbi 1967)."""
    came_from = np.zeros(votes.shape, dtype=np.int64)
    score = votes[0]
    for at in range(1, len(votes)):
        ways = score[:, None] + moves
        came_from[at] = ways.argmax(axis=0)
        score = ways.max(axis=0) + votes[at]
    path = np.zeros(len(votes), dtype=np.int64)
    path[-1] = score.argmax()
    for at in range(len(votes) - 1, 0, -1):
        path[at - 1] = came_from[at, path[at]]
    return path


def _margins(votes: Numbers, moves: Numbers, best: Codes) -> NDArray[np.float64]:
    """How much worse the best path is that has another label at a word."""
    before, after = np.zeros(votes.shape), np.zeros(votes.shape)
    for at in range(1, len(votes)):
        before[at] = (before[at - 1] + votes[at - 1] + moves.T).max(axis=1)
        back = len(votes) - 1 - at
        after[back] = (after[back + 1] + votes[back + 1] + moves).max(axis=1)
    through = before + votes + after
    rows = np.arange(len(votes))
    mine = through[rows, best]
    through[rows, best] = -np.inf
    margins: NDArray[np.float64] = np.maximum(mine - through.max(axis=1), 0.0)
    return margins


def _labels(documents: Sequence[Marked]) -> tuple[str, ...]:
    return (NONE, *sorted({label for one in documents for label in one.labels} - {NONE}))


def _frequent(documents: Sequence[Marked], least: int) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for one in documents:
        for marks in one.seen:
            for mark in marks:
                counts[mark] = counts.get(mark, 0) + 1
    return tuple(sorted(mark for mark, count in counts.items() if count >= least))


def _letters(words: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


def _words(letters: NDArray[np.uint8]) -> tuple[str, ...]:
    text = letters.astype(np.uint8).tobytes().decode()
    return tuple(text.split("\n")) if text else ()
