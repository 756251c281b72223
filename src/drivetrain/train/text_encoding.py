"""From texts and their labels to the encoder that turns a text into margins.

One linear model over all features: support vectors with squared hinge loss, one class against the rest (Fan et al.
2008, LIBLINEAR), or regularised least squares on -1 and 1 (Rifkin, Yeo & Poggio 2003), which numbers always get.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from drivetrain.core.task import Task
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.text import TextEncoder
from drivetrain.ops.text_features import Numbers, TermWeights
from drivetrain.ops.text_terms import Terms
from drivetrain.train.folds import Fold
from drivetrain.train.learner import Sample
from drivetrain.train.text_column import TextColumn

_TOLERANCE = 1e-2
"""Finer solutions changed no accuracy that was measured for the better, and take twice the time."""
_MOST_STEPS = 200
_DRAWING = Lock()
"""LIBLINEAR draws from one sequence for the whole process: two fits at once would not give the same bytes again."""


@dataclass(frozen=True)
class Block:
    """Terms that count, ``weight`` times as much as others'."""

    terms: Terms
    weight: float = 1.0


WORDS, CHARACTERS = Block(Terms("word", 1, 2)), Block(Terms("char_wb", 2, 5))


@dataclass(frozen=True)
class Recipe:
    """What of a text counts, by which loss, and how strongly weights may grow (``strength``: C, or 1 / lambda).

    Terms count that stand in ``min_texts`` texts, those of ``rarity`` above 1 the more the fewer texts they stand in.
    """

    blocks: tuple[Block, ...] = (WORDS, CHARACTERS)
    min_texts: int = 2
    rarity: float = 1.0
    embedding: Embedding | None = None
    embedding_weight: float = 1.0
    squares: bool = False
    strength: float = 1.0
    out_of_scope: bool = False


def learn_encoder(texts: TextColumn, labels: Sample, recipe: Recipe, *, seed: int) -> TextEncoder:
    """The encoder of texts [n] with these labels; W is the number of classes, or 1.

    A class that no text has gets a margin below all that occur.
    """
    known = tuple(texts.weights(block.terms, recipe.min_texts, recipe.rarity) for block in recipe.blocks)
    scales = [np.full(len(block.known), made.weight) for block, made in zip(known, recipe.blocks, strict=True)]
    scales.append(np.full(recipe.embedding.width if recipe.embedding else 0, recipe.embedding_weight))
    scale = np.concatenate(scales)
    features = sparse.csr_matrix(_features(texts, known, recipe.embedding) @ sparse.diags_array(scale))
    if recipe.squares or labels.task is Task.NUMBER:
        weights, intercept = _least_squares(features, _targets(labels), 1.0 / recipe.strength)
    else:
        weights, intercept = _support_vectors(features, labels, recipe.strength, seed)
    return TextEncoder(known, (weights * scale[:, None]).astype(np.float32), intercept, embedding=recipe.embedding)


def margins(encoder: TextEncoder, texts: TextColumn) -> Numbers:
    """What ``encoder.encode`` makes of the texts [n, W], from what the column has worked out already."""
    features = _features(texts, encoder.blocks, encoder.embedding)
    return np.asarray(features @ encoder.weights.astype(np.float64) + encoder.intercept)


def out_of_fold(
    texts: TextColumn, labels: Sample, folds: Sequence[Fold], recipe: Recipe, pool: ThreadPoolExecutor, seed: int
) -> Numbers:
    """The margins [n, W] of each text by an encoder that learned from the other folds of the first repeat.

    What no fold holds back, the earliest where folds go by time, gets 0.
    """

    def judge(fold: Fold) -> Numbers:
        encoder = learn_encoder(texts.take(fold.fit), labels.take(fold.fit), recipe, seed=seed)
        return margins(encoder, texts.take(fold.held))

    first = [fold for fold in folds if fold.repeat == 0]
    found = list(pool.map(judge, first))
    together = np.zeros((len(texts), found[0].shape[1]))
    for fold, held in zip(first, found, strict=True):
        together[fold.held] = held
    return together


def _features(texts: TextColumn, known: Sequence[TermWeights], embedding: Embedding | None) -> sparse.csr_matrix:
    parts = [texts.tf_idf(block) for block in known]
    if embedding:
        parts.append(sparse.csr_matrix(texts.embedded(embedding)))
    return sparse.csr_matrix(sparse.hstack(parts, format="csr"))


def _support_vectors(features: sparse.csr_matrix, labels: Sample, c: float, seed: int) -> tuple[Numbers, Numbers]:
    """Weights [V, W] and intercepts [W]."""
    with warnings.catch_warnings():  # a fit that ran out of steps is judged by its margins like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        with _DRAWING:
            model = LinearSVC(C=c, tol=_TOLERANCE, random_state=seed).fit(features, labels.y)
    weights, intercept = model.coef_.T, np.asarray(model.intercept_, dtype=np.float64)
    if labels.task is not Task.CLASSES:
        return weights, intercept
    if len(model.classes_) == 2:  # so far there is one row, that of the second
        weights, intercept = np.hstack([-weights, weights]), np.concatenate([-intercept, intercept])
    every = np.zeros((weights.shape[0], labels.classes))
    constants = np.full(labels.classes, intercept.min() - 1.0)
    every[:, model.classes_], constants[model.classes_] = weights, intercept
    return every, constants


def _targets(labels: Sample) -> Numbers:
    """What is to be met by squares, [n, W]."""
    if labels.task is Task.NUMBER:
        return labels.y.astype(np.float64)[:, None]
    if labels.task is Task.YES_NO:
        return np.where(labels.y, 1.0, -1.0)[:, None]
    return np.where(labels.y[:, None] == np.arange(labels.classes), 1.0, -1.0)


def _least_squares(features: sparse.csr_matrix, targets: Numbers, penalty: float) -> tuple[Numbers, Numbers]:
    """Weights [V, W] and intercepts [W], all at once by conjugate gradients in the dual (Hestenes & Stiefel 1952).

    In single precision, in which weights are kept: half the bytes go through the processor.
    """
    mean, shape, ridge = targets.mean(axis=0), targets.shape, np.float32(penalty)
    rows = features.astype(np.float32)
    turned = rows.T.tocsr()

    def step(flat: NDArray[np.float32]) -> NDArray[np.float32]:
        dual = flat.reshape(shape)
        return np.asarray(rows @ (turned @ dual) + ridge * dual).ravel()

    system = LinearOperator((targets.size, targets.size), matvec=step, dtype=np.float32)
    dual, _ = cg(system, (targets - mean).ravel().astype(np.float32), rtol=_TOLERANCE, maxiter=_MOST_STEPS)
    return np.asarray(turned @ dual.reshape(shape)), mean
