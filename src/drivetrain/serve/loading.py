"""From a release's ref to what can answer: every byte checked, the model in memory, warm, and proven on known rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from drivetrain.access.actors import FILE as ACTORS
from drivetrain.access.actors import read_actors
from drivetrain.access.verification import verify_release
from drivetrain.core.conversation import ChatPlan
from drivetrain.core.errors import Refused
from drivetrain.core.model import Reference, Signature
from drivetrain.core.refs import Ref
from drivetrain.ops.knowledge import Knowledge, knowledge_from
from drivetrain.ops.live import LiveCounts
from drivetrain.ops.retriever import Retriever, retriever_from
from drivetrain.ops.saying import Saying
from drivetrain.ops.text import Encoders, encoders_from
from drivetrain.store.catalog import Catalog
from drivetrain.store.golden import golden_from
from drivetrain.store.models import ITEMS, ModelContent, ModelScorer, model_from, open_scorer

CHUNK = 32
"""Rows of one call of the model: the fastest size for tree models on one thread (170,000 rows/s against 35,000)."""


@dataclass(frozen=True)
class LoadedRelease:
    """A release that can answer. ``typical`` [F] is the packed typical row of its training data.

    ``processes`` is how many the model runs in; 0: in this one. ``live`` counts what it answers, for drift.
    ``knowledge`` is what it can search, ``chat`` how it talks, ``retriever`` what finds items to rank; ``project``
    holds the files of its project as they were signed.
    """

    ref: Ref
    signature: Signature
    reference: Reference
    saying: Saying
    typical: NDArray[np.float64]
    scorer: ModelScorer
    live: LiveCounts
    processes: int = 0
    encoders: Encoders = field(default_factory=dict)
    knowledge: Knowledge | None = None
    project: Mapping[str, bytes] = field(default_factory=dict)
    retriever: Retriever | None = None
    chat: ChatPlan | None = None

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the model answers to each packed row: [n, F] -> [n], or [n, K] of classes."""
        if len(rows) <= CHUNK or self.processes:
            return self.scorer.score(rows)
        return np.concatenate([self.scorer.score(rows[at : at + CHUNK]) for at in range(0, len(rows), CHUNK)])

    @property
    def broken(self) -> bool:
        """Whether the model lost its processes again and again."""
        return self.scorer.broken

    def close(self) -> None:
        """End the model's processes, if it has any."""
        self.scorer.close()


def load(catalog: Catalog, ref: Ref) -> LoadedRelease:
    """Load a release, warm it up, and let it answer the golden batch of its report.

    Raises what ``verify_release`` raises when the folder is not the signed and approved release, InvalidInput when the
    model does not load, Refused when it does not answer as its report says.
    """
    verified = verify_release(catalog.folder(ref), read_actors(catalog.home / ACTORS), expected=ref)
    content = model_from(verified.part("model"), str(ref))
    golden = golden_from(verified.part("report"), str(ref))
    loaded = replace(_open(ref, content), project=verified.part("project"))
    try:
        for rows in (1, CHUNK):  # the first calls are slow, and nobody shall wait for them
            if not np.isfinite(loaded.score(np.tile(loaded.typical, (rows, 1)))).all():
                raise _silent(ref)
        if loaded.knowledge is not None:
            loaded.knowledge.search("", 1)
        golden.check(loaded.score, str(ref))
    except BaseException:
        loaded.close()
        raise
    return loaded


def _open(ref: Ref, content: ModelContent) -> LoadedRelease:
    scorer = open_scorer(content)
    return LoadedRelease(
        ref,
        content.signature,
        content.reference,
        Saying(content.signature, content.decision, content.interval, content.rules),
        np.array([field.typical for field in content.signature.inputs], dtype=np.float64),
        scorer,
        LiveCounts(content.reference),
        scorer.processes,
        encoders_from(content.signature.texts, content.texts),
        knowledge_from(content.knowledge),
        retriever=retriever_from(content.items, ITEMS) if content.items else None,
        chat=content.chat,
    )


def _silent(ref: Ref) -> Refused:
    return Refused(
        "model_does_not_answer",
        "the model has no score for its typical row",
        where=str(ref),
        hint="drivetrain rollback, or deploy another release",
    )
