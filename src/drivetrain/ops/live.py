"""How live traffic is spread: counted in the bins of the reference, cheap by the block, added up over processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Distribution, Reference
from drivetrain.ops.drift import missing_rate, psi
from drivetrain.ops.metrics import Numbers

SCORE = "score"

Counts = NDArray[np.int64]


class LiveDrift(NamedTuple):
    """One column: its population stability index against the reference, and its share of missing values."""

    name: str
    psi: float
    missing: float


class LiveCounts:
    """Counts of every input in signature order, of the score, and of the outputs of the signature, since the start."""

    def __init__(self, reference: Reference) -> None:
        self._before = (*reference.inputs, replace(reference.score, name=SCORE), *reference.outputs)
        # NaN sorts behind every number: as a last cut it gives missing values a bin of their own
        self._cuts = tuple(np.array([*spread.cuts, np.nan]) for spread in self._before)
        self._counts = tuple(np.zeros(len(cuts) + 1, dtype=np.int64) for cuts in self._cuts)

    def add(self, rows: Numbers, scores: Numbers, outputs: Numbers | None = None) -> None:
        """Packed rows [n, F], their scores [n] and their outputs [n, E], if there are any; NaN is missing."""
        columns = np.concatenate((rows.T, scores[None]) if outputs is None else (rows.T, scores[None], outputs.T))
        columns.sort(axis=1)  # then the few cuts are looked for, not the many values: two to three times as fast
        for cuts, counts, values in zip(self._cuts, self._counts, columns, strict=True):
            below = values.searchsorted(cuts)
            counts[:-1] += below
            counts[1:] -= below
            counts[-1] += len(values)

    def state(self) -> tuple[Counts, ...]:
        """A copy of the counts, one array a column: its bins, and last what is missing."""
        return tuple(counts.copy() for counts in self._counts)

    def merge(self, state: Sequence[Counts]) -> None:
        """Adds what another process counted. Raises InvalidInput when that was against another reference."""
        if [len(other) for other in state] != [len(counts) for counts in self._counts]:
            raise InvalidInput("drift_undefined", "the counts to add were made with another reference")
        for counts, other in zip(self._counts, state, strict=True):
            np.add(counts, other, out=counts)

    def psi(self) -> tuple[LiveDrift, ...]:
        """How far each column moved (see ``ops.drift.psi``), inputs first; nothing before the first row."""
        nows = (
            Distribution(before.name, before.cuts, tuple(counts[:-1].tolist()), int(counts[-1]))
            for before, counts in zip(self._before, self._counts, strict=True)
        )
        return tuple(
            LiveDrift(now.name, psi(before, now), missing_rate(now))
            for before, now in zip(self._before, nows, strict=True)
            if sum(now.counts) + now.missing
        )
