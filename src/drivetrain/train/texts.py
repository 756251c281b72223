"""Free texts as columns to learn from: each becomes the margins of a linear model that did not see its label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drivetrain.core.digest import digest_of
from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Metric
from drivetrain.core.texts import TermRange, TextWay
from drivetrain.ops.links import plain_link
from drivetrain.ops.metrics import Numbers, higher_is_better, measure
from drivetrain.ops.text import TextEncoder
from drivetrain.ops.text_scope import OUT_OF_SCOPE
from drivetrain.ops.text_terms import Terms
from drivetrain.store.folders import digests
from drivetrain.train.embedding_wheel import embedding_of
from drivetrain.train.folds import Plan
from drivetrain.train.learner import Sample
from drivetrain.train.text_column import TextColumn
from drivetrain.train.text_encoding import Block, Recipe, learn_encoder, out_of_fold
from drivetrain.train.text_scope import learn_scope, scope_out_of_fold

_NOT_IN_A_NAME = re.compile(r"[ ,;{}()\n\t=]")


@dataclass(frozen=True)
class ReadText:
    """A text of the training part: its margins [n, W], out of fold, and the encoder that learned from all of it."""

    name: str
    margins: Numbers
    encoder: TextEncoder

    def fields(self, signature: Signature) -> tuple[InputField, ...]:
        """The margins as inputs of a model."""
        maker = digest_of(digests(self.encoder.files()))[:12]
        labels = signature.classes if self.margins.shape[1] > 1 else (signature.target,)
        labels += (OUT_OF_SCOPE,) if self.encoder.scope else ()
        columns = zip(labels, self.margins.T, strict=True)
        return tuple(_field(self.name, label, values, maker) for label, values in columns)


@dataclass(frozen=True)
class TextReader:
    """Reads texts in each of some ways over the folds, and keeps the way whose answers are best."""

    ways: Sequence[TextWay]
    metric: Metric
    labels: Sample
    plan: Plan
    home: Path
    cache: Path
    seed: int

    def read(self, name: str, values: Sequence[str | None], pool: ThreadPoolExecutor) -> ReadText:
        """One column of texts [n]. Raises InvalidInput when an embedding cannot be read, Transient when not fetched."""
        texts = TextColumn(values)
        tried: list[tuple[float, Recipe, Numbers]] = []
        for way in self.ways:
            recipe = self._recipe(way)
            margins = out_of_fold(texts, self.labels, self.plan.folds, recipe, pool, self.seed)
            tried.append((self._score(margins), recipe, margins))
        _, recipe, margins = max(tried, key=lambda one: one[0])
        encoder = learn_encoder(texts, self.labels, recipe, seed=self.seed)
        if recipe.out_of_scope and recipe.embedding:
            scope = learn_scope(texts, self.labels, recipe, recipe.embedding, pool, self.seed)
            strange = scope_out_of_fold(texts, margins, self.plan.folds, scope, recipe.embedding)
            return ReadText(name, np.hstack([margins, strange]), replace(encoder, scope=scope))
        return ReadText(name, margins, encoder)

    def _score(self, margins: Numbers) -> float:
        labels = self.labels
        answer = plain_link(labels.task).apply(margins if labels.classes else margins[:, 0])
        value = measure(self.metric, labels.y, answer)
        return value if higher_is_better(self.metric) else -value

    def _recipe(self, way: TextWay) -> Recipe:
        ranges = (("word", way.words), ("char_wb", way.characters))
        blocks = tuple(_block(unit, given) for unit, given in ranges if given is not None)
        embedding = None if way.embedding is None else embedding_of(way.embedding, self.home, self.cache)
        squares = way.loss == "least_squares"
        return Recipe(
            blocks,
            way.min_texts,
            way.rarity,
            embedding,
            way.embedding_weight,
            squares,
            way.strength,
            way.out_of_scope,
        )


def _block(unit: str, given: TermRange) -> Block:
    return Block(Terms("word" if unit == "word" else "char_wb", given.shortest, given.longest), given.weight)


def _field(text: str, label: str, values: Numbers, maker: str) -> InputField:
    name = _NOT_IN_A_NAME.sub("_", f"{text}:{label}")
    low, high, typical = float(values.min()), float(values.max()), float(np.quantile(values, 0.5, method="lower"))
    return InputField(name, ColumnType.NUMBER, False, (), low, high, typical, of=text, made_by=maker)
