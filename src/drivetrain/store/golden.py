"""The golden batch of a release: synthetic rows, and what the validated model answered to them.

Before it takes traffic, a copy of the model proves on it that it answers as the one that was validated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.errors import InvalidInput, Refused

Numbers = NDArray[np.float64]
ROWS = "golden-rows.npy"
SCORES = "golden-scores.npy"
TOLERANCE = 1e-6
"""The difference that the gate of parity allows too."""
_DIGITS = 9


@dataclass(frozen=True, eq=False)
class Golden:
    """Packed rows [n, F] and the scores they were given when the model was validated: [n], or [n, K] of classes."""

    rows: Numbers
    scores: Numbers

    def files(self) -> dict[str, bytes]:
        """The two files in the folder of a report; the same batch gives the same bytes."""
        return {ROWS: to_npy(self.rows), SCORES: to_npy(self.scores)}

    def check(self, score: Callable[[Numbers], Numbers], where: str, tolerance: float = TOLERANCE) -> None:
        """Have the rows scored and compare; missing (NaN) equals missing.

        ``where`` names who is asked. Raises Refused when a score differs by more than ``tolerance``, of a score beyond
        1 as a share of it, and whatever ``score`` raises.
        """
        answers = score(self.rows)
        if answers.shape != self.scores.shape:
            raise _differs(f"got scores {answers.shape} for golden rows that had {self.scores.shape}", where)
        same = (answers == self.scores) | (np.isnan(answers) & np.isnan(self.scores))
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            apart = np.abs(answers - self.scores) / np.maximum(1.0, np.abs(self.scores))
        worst = np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf, posinf=np.inf))
        gaps = worst.reshape(len(self.rows), -1).max(axis=1)
        if (gaps > tolerance).any():
            raise _differs(
                f"{int((gaps > tolerance).sum())} of {len(gaps)} golden rows are scored otherwise than when the model "
                f"was validated, the worst by {gaps.max():.3g}",
                where,
            )


def golden_of(rows: Numbers, score: Callable[[Numbers], Numbers]) -> Golden:
    """The batch of these rows [n, F] as ``score`` answers them.

    Scores are kept with nine decimals, those beyond 1 with nine digits: further on lie differences between machines,
    and the same model is to make the same bytes on each.
    """
    return Golden(rows, _rounded(score(rows)))


def golden_from(files: Mapping[str, bytes], where: str) -> Golden:
    """The golden batch among the files of a report. Raises InvalidInput when it is missing or damaged."""
    missing = [name for name in (ROWS, SCORES) if name not in files]
    if missing:
        raise _unusable(f"{missing[0]} is missing", where)
    try:
        golden = Golden(from_npy(files[ROWS]), from_npy(files[SCORES]))
    except ValueError as error:
        raise _unusable(str(error), where) from error
    if (
        golden.rows.ndim != 2
        or golden.scores.ndim not in (1, 2)
        or len(golden.scores) != len(golden.rows)
        or not golden.scores.size
    ):
        raise _unusable(f"{golden.rows.shape} rows do not go with {golden.scores.shape} scores", where)
    return golden


def _rounded(scores: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.nan_to_num(np.ceil(np.log10(np.abs(scores))), nan=0.0, posinf=0.0, neginf=0.0)
    scale = np.power(10.0, np.maximum(size, 0.0))
    return np.asarray(np.round(scores / scale, _DIGITS) * scale)


def _differs(message: str, where: str) -> Refused:
    return Refused(
        "golden_batch_differs",
        message,
        where=where,
        hint="this machine computes otherwise: install the versions that the model's environment.json names",
    )


def _unusable(message: str, where: str) -> InvalidInput:
    return InvalidInput(
        "golden_batch_unusable",
        message,
        where=where,
        hint="run `drivetrain validate --force` and release the model again",
    )
