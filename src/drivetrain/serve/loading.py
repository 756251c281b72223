"""From a service's name to what answers for it: the deployed release, every byte checked, the model in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.access.actors import FILE as ACTORS
from drivetrain.access.actors import read_actors
from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Deployment
from drivetrain.core.errors import NotFound, Refused
from drivetrain.core.model import Signature
from drivetrain.core.refs import Ref
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import Scorer, model_from

CHUNK = 32
"""Rows of one call of the model: the fastest size for tree models on one thread (170,000 rows/s against 35,000)."""


@dataclass(frozen=True)
class LoadedRelease:
    """A release that can answer. ``typical`` [F] is the packed typical row of its training data."""

    service: str
    ref: Ref
    signature: Signature
    threshold: float
    typical: NDArray[np.float64]
    scorer: Scorer

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each packed row: [n, F] -> [n]."""
        if len(rows) <= CHUNK:
            return self.scorer.score(rows)
        return np.concatenate([self.scorer.score(rows[at : at + CHUNK]) for at in range(0, len(rows), CHUNK)])


def load(catalog: Catalog, service: str) -> LoadedRelease:
    """Load the release that is deployed as ``service``, warmed up.

    Raises NotFound when nothing is deployed under that name, and what ``verify_release`` raises when the folder is not
    the signed and approved release.
    """
    deployment = catalog.latest(Deployment, service)
    if deployment is None:
        raise NotFound(
            "service_unknown", f"nothing is deployed as {service!r}", where=str(catalog.home), hint="drivetrain deploy"
        )
    release = max(deployment.shares, key=lambda share: share.share).release
    verified = verify_release(catalog.folder(release), read_actors(catalog.home / ACTORS), expected=release)
    content = model_from(verified.part("model"), str(release))
    typical = np.array([field.typical for field in content.signature.inputs], dtype=np.float64)
    loaded = LoadedRelease(
        service, release, content.signature, content.decision.threshold, typical, Scorer(content.graph)
    )
    for rows in (1, CHUNK):  # the first calls are slow, and nobody shall wait for them
        if not np.isfinite(loaded.score(np.tile(typical, (rows, 1)))).all():
            raise Refused(
                "model_does_not_answer",
                "the model has no score for its typical row",
                where=str(release),
                hint="drivetrain deploy another release",
            )
    return loaded
