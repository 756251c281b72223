"""From texts and their labels to the encoder that turns a text into margins.

One linear model over all features: of yes or no and of classes support vectors with squared hinge loss, one class
against the rest (Fan et al. 2008, LIBLINEAR); of numbers ridge regression.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from drivetrain.core.task import Task
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.text import TextEncoder
from drivetrain.ops.text_features import Numbers, TermWeights
from drivetrain.ops.text_terms import Terms
from drivetrain.train.folds import Fold
from drivetrain.train.learner import Sample
from drivetrain.train.text_column import TextColumn

WORDS, CHARACTERS = Terms("word", 1, 2), Terms("char_wb", 2, 5)
_TOLERANCE = 1e-3
"""Ten times finer changes no accuracy that was measured, and takes twice the time."""


@dataclass(frozen=True)
class Recipe:
    """What of a text counts, and how strongly weights may grow (``strength``, the C of support vectors).

    Terms count that stand in ``min_texts`` texts; the meaning counts ``meaning`` times as much as they do.
    """

    terms: tuple[Terms, ...] = (WORDS, CHARACTERS)
    min_texts: int = 1
    strength: float = 1.0
    embedding: Embedding | None = None
    meaning: float = 1.0


def learn_encoder(texts: TextColumn, labels: Sample, recipe: Recipe, *, seed: int) -> TextEncoder:
    """The encoder of texts [n] with these labels; W is the number of classes, or 1.

    A class that no text has gets a margin below all that occur.
    """
    blocks = tuple(texts.weights(terms, recipe.min_texts) for terms in recipe.terms)
    weights, intercept = _fitted(_features(texts, blocks, recipe), labels, recipe.strength, seed)
    if labels.task is Task.CLASSES:
        weights, intercept = _every_class(weights, intercept, labels)
    if recipe.embedding:
        weights[:, -recipe.embedding.width :] *= recipe.meaning
    return TextEncoder(blocks, np.ascontiguousarray(weights.T, dtype=np.float32), intercept, embedding=recipe.embedding)


def margins(encoder: TextEncoder, texts: TextColumn) -> Numbers:
    """What ``encoder.encode`` makes of the texts [n, W], from what the column has worked out already."""
    features = _features(texts, encoder.blocks, Recipe(embedding=encoder.embedding))
    return np.asarray(features @ encoder.weights.astype(np.float64) + encoder.intercept)


def out_of_fold(
    texts: TextColumn, labels: Sample, folds: Sequence[Fold], recipe: Recipe, pool: ThreadPoolExecutor, *, seed: int
) -> Numbers:
    """The margins [n, W] of each text by an encoder that learned from the other folds of the first repeat."""

    def judge(fold: Fold) -> Numbers:
        encoder = learn_encoder(texts.take(fold.fit), labels.take(fold.fit), recipe, seed=seed)
        return margins(encoder, texts.take(fold.held))

    first = [fold for fold in folds if fold.repeat == 0]
    found = list(pool.map(judge, first))
    together = np.empty((len(texts), found[0].shape[1]))
    for fold, held in zip(first, found, strict=True):
        together[fold.held] = held
    return together


def _features(texts: TextColumn, blocks: Sequence[TermWeights], recipe: Recipe) -> sparse.csr_matrix:
    parts = [texts.tf_idf(block, sublinear=True) for block in blocks]
    if recipe.embedding:
        parts.append(sparse.csr_matrix(texts.embedded(recipe.embedding) * recipe.meaning))
    return sparse.csr_matrix(sparse.hstack(parts, format="csr"))


def _fitted(features: sparse.csr_matrix, labels: Sample, strength: float, seed: int) -> tuple[Numbers, Numbers]:
    """Weights [W, V] and intercepts [W]."""
    if labels.task is Task.NUMBER:
        ridge = Ridge(alpha=1.0 / strength, solver="lsqr", random_state=seed).fit(features, labels.y)
        return ridge.coef_[None, :], np.array([ridge.intercept_], dtype=np.float64)
    with warnings.catch_warnings():  # a fit that ran out of steps is judged by its margins like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LinearSVC(C=strength, tol=_TOLERANCE, random_state=seed).fit(features, labels.y)
    return model.coef_, np.asarray(model.intercept_, dtype=np.float64)


def _every_class(weights: Numbers, intercept: Numbers, labels: Sample) -> tuple[Numbers, Numbers]:
    """A row of weights for each class of the task; of two classes there is one so far, that of the second."""
    present: NDArray[np.int64] = np.unique(labels.y).astype(np.int64)
    if len(present) == 2:
        weights, intercept = np.vstack([-weights, weights]), np.concatenate([-intercept, intercept])
    every = np.zeros((labels.classes, weights.shape[1]))
    constants = np.full(labels.classes, intercept.min() - 1.0)
    every[present], constants[present] = weights, intercept
    return every, constants
