"""Learning what is out of scope without a text that is: classes are held back in turn, and play the strangers.

Each time a quarter of the classes, and a quarter of the texts of the others, are kept from an encoder; the signs of
``ops.text_scope`` of the one and of the other are told apart by a logistic regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.text_features import Numbers
from drivetrain.ops.text_scope import Scope, signs
from drivetrain.train.folds import Fold
from drivetrain.train.learner import Rows, Sample
from drivetrain.train.text_column import TextColumn
from drivetrain.train.text_encoding import Recipe, learn_encoder, margins

_ROUNDS = 4
_FEWEST = 8
_MOST = 20_000
"""Texts whose directions are kept: 15 MB of half precision, a millisecond to look through."""
_STRANGERS = 0.2
"""The share of strangers that the odds assume."""
_AT_ONCE = 1_000


def learn_scope(
    texts: TextColumn, labels: Sample, recipe: Recipe, embedding: Embedding, pool: ThreadPoolExecutor, seed: int
) -> Scope:
    """What tells texts [n] of these classes from texts of others. Raises InvalidInput when there are few classes."""
    classes = np.unique(labels.y)
    if len(classes) < _FEWEST:
        raise InvalidInput(
            "scope_classes",
            f"{len(classes)} classes are too few to hold some of them back",
            where="model.texts.out_of_scope",
            hint=f"bring {_FEWEST} or more, or leave it out",
        )
    chance = np.random.default_rng(seed)
    of_class = dict(zip(classes, chance.permutation(len(classes)) % _ROUNDS, strict=True))
    groups = np.array([of_class[label] for label in labels.y])
    parts = chance.integers(0, _ROUNDS, len(labels))

    def judge(number: int) -> tuple[Numbers, Numbers]:
        fit = np.flatnonzero((groups != number) & (parts != number))
        encoder = learn_encoder(texts.take(fit), labels.take(fit), recipe, seed=seed)
        rows = np.flatnonzero((groups != number) & (parts == number)), np.flatnonzero(groups == number)
        learned = directions(texts.take(fit), embedding)
        known, strange = (
            _signs(margins(encoder, texts.take(some)), texts.take(some), embedding, learned) for some in rows
        )
        return known, strange

    found = list(pool.map(judge, range(_ROUNDS)))
    weights, intercept = _weighed(np.vstack([one for one, _ in found]), np.vstack([other for _, other in found]))
    return Scope(directions(texts, embedding), weights, intercept)


def scope_out_of_fold(
    texts: TextColumn, together: Numbers, folds: Sequence[Fold], scope: Scope, embedding: Embedding
) -> Numbers:
    """The log-odds [n, 1] that texts with out-of-fold margins [n, W] are out of scope, by texts of the other folds."""
    found = np.zeros((len(texts), 1))
    for fold in folds:
        if fold.repeat == 0:
            seen = replace(scope, learned=directions(texts.take(fold.fit), embedding))
            held = texts.take(fold.held)
            values = _signs(together[fold.held], held, embedding, seen.learned)
            found[fold.held, 0] = values @ seen.weights + seen.intercept
    return found


def directions(texts: TextColumn, embedding: Embedding) -> NDArray[np.float32]:
    """Those of texts, float32 [m, E] as they are kept; of many every second, third, ..."""
    some: Rows = np.arange(0, len(texts), -(-len(texts) // _MOST))
    return texts.take(some).embedded(embedding).astype(np.float16).astype(np.float32)


def _signs(made: Numbers, texts: TextColumn, embedding: Embedding, learned: NDArray[np.float32]) -> Numbers:
    meaning = texts.embedded(embedding)
    starts = range(0, len(made), _AT_ONCE)
    return np.vstack([signs(made[at : at + _AT_ONCE], meaning[at : at + _AT_ONCE], learned) for at in starts])


def _weighed(known: Numbers, strange: Numbers) -> tuple[Numbers, float]:
    """Weights and intercept for signs as they come."""
    scaler = StandardScaler()
    values = scaler.fit_transform(np.vstack([known, strange]))
    model = LogisticRegression(class_weight="balanced", max_iter=1_000).fit(
        values, np.arange(len(values)) >= len(known)
    )
    weights = model.coef_[0] / scaler.scale_
    shift = np.log(_STRANGERS / (1 - _STRANGERS))
    return weights, float(model.intercept_[0] - weights @ scaler.mean_ + shift)
