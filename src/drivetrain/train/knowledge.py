"""From passages to what the server searches: an index of their words and, if asked for, the direction of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.passages import Citation, Passage
from drivetrain.ops.bm25 import index_passages
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.knowledge import Knowledge, View
from drivetrain.store.catalog import Catalog
from drivetrain.train.embedding_wheel import embedding_of


def make_knowledge(spec: KnowledgeSpec, passages: Sequence[Passage], catalog: Catalog) -> Knowledge:
    """The knowledge of passages. Raises InvalidInput when an embedding cannot be read, Transient when not fetched."""
    embedding = None
    if spec.embedding is not None:
        embedding = embedding_of(spec.embedding, catalog.home, catalog.state / "cache")
    texts = {
        "question": [passage.question for passage in passages],
        "whole": [f"{passage.question} {passage.answer}" for passage in passages],
    }
    views = {name: _view(looked_at, embedding) for name, looked_at in texts.items()}
    return Knowledge(tuple(passages), Citation(spec.cite_from, spec.most_cited), views, embedding)


def _view(texts: Sequence[str], embedding: Embedding | None) -> View:
    words = index_passages(texts)
    if embedding is None:
        return View(words)
    return View(words, np.array([embedding.of(text) for text in texts], dtype=np.float32))
