"""The trained pipeline: fitted parts, their weights and the link, here in Python and as one ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.errors import Refused, examples
from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.links import Link
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.packing import UNKNOWN
from drivetrain.store.models import Scorer
from drivetrain.train.graph import Part, assemble
from drivetrain.train.learner import Fitted, Size

TOLERANCE = 1e-6
_WORST = 64
_STRESSED = 64


@dataclass(frozen=True)
class Trained:
    """Fitted parts with their weights, and the link of the sum."""

    parts: tuple[tuple[Fitted, float], ...]
    link: Link

    @property
    def size(self) -> Size:
        """What scoring one row costs."""
        sizes = [fitted.size for fitted, _ in self.parts]
        return Size(sum(size.operations for size in sizes), sum(size.trees for size in sizes))

    def answer(self, x: Numbers) -> Numbers:
        """Packed rows [n, F] to what the model answers: [n], or [n, K] of classes."""
        if len(x) == 0:
            return np.empty(0)  # scikit-learn refuses to predict nothing
        return self.link.apply(np.sum([weight * fitted.margin(x) for fitted, weight in self.parts], axis=0))

    def to_onnx(self, width: int, classes: int = 0) -> bytes:
        """The same as an ONNX graph for rows of that width. Raises Refused when a part cannot be exported."""
        parts = [Part(fitted.to_onnx(f"part{number}_"), weight) for number, (fitted, weight) in enumerate(self.parts)]
        return assemble(parts, self.link, width, classes)


def check_parity(trained: Trained, graph: bytes, rows: Numbers, signature: Signature) -> None:
    """Hold the graph against the pipeline on rows [n, F] and on rows with missing and unknown values.

    Raises Refused that names the features which differ when any answer is apart by more than 1e-6.
    """
    if len(rows) == 0:
        return
    scorer = Scorer(graph)
    judged = np.vstack([rows, _stressed(rows, signature)])
    gap = _gap(trained, scorer, judged)
    if gap.max() <= TOLERANCE:
        return
    worst = judged[np.argsort(-gap, kind="stable")[:_WORST]]
    names = _blamed(trained, scorer, worst, signature)
    told = f"; it closes when {examples(names)} {'is' if len(names) == 1 else 'are'} typical" if names else ""
    raise Refused(
        "parity",
        f"the exported graph and the trained pipeline differ by {gap.max():.2e} on "
        f"{int((gap > TOLERANCE).sum()):,} of {len(judged):,} rows{told}",
        where=examples(names) or "model.onnx",
        hint="a converter that computes in float32 does this: scale or replace that feature, or use a built-in learner",
    )


def _gap(trained: Trained, scorer: Scorer, rows: Numbers) -> Numbers:
    """The largest difference of each row [n], of a number as a share of it where it is large."""
    ours, served = trained.answer(rows), scorer.score(rows)
    gap = np.abs(ours - served) / np.maximum(1.0, np.abs(ours))
    return np.asarray(np.where(np.isnan(gap), np.inf, gap).reshape(len(rows), -1).max(axis=1))


def _stressed(rows: Numbers, signature: Signature) -> Numbers:
    """Some rows with each column in turn missing, and each text unknown."""
    some = rows[:: max(1, len(rows) // _STRESSED)][:_STRESSED]
    made = []
    for position, field in enumerate(signature.inputs):
        for value in (np.nan, UNKNOWN) if field.type is ColumnType.TEXT else (np.nan,):
            changed = some.copy()
            changed[:, position] = value
            made.append(changed)
    return np.vstack(made)


def _blamed(trained: Trained, scorer: Scorer, worst: Numbers, signature: Signature) -> Sequence[str]:
    """The features that, set to their typical value, close the gap: most helpful first, until it is closed."""
    rows, names = worst.copy(), list[str]()
    left = list(range(len(signature.inputs)))
    while left and _gap(trained, scorer, rows).max() > TOLERANCE:
        gaps = [_gap(trained, scorer, _replaced(rows, place, signature)).mean() for place in left]
        place = left.pop(int(np.argmin(gaps)))
        rows = _replaced(rows, place, signature)
        names.append(signature.inputs[place].name)
    return names


def _replaced(rows: Numbers, place: int, signature: Signature) -> Numbers:
    changed = rows.copy()
    changed[:, place] = signature.inputs[place].typical
    return changed
