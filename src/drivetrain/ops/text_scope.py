"""Whether a text is about any of the classes at all: how sure the margins are, and how near the texts learned from lie.

A linear model is sure of some class for any text; texts of none of them lie far from what was learned from (Sun et al.
2022, deep nearest neighbours). Signs of both are weighed by a logistic regression, see ``train.text_scope``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.decoding import read_json
from drivetrain.ops.text_features import Numbers

OUT_OF_SCOPE = "out of scope"
"""The column that stands behind the margins of a text."""
SIGNS = 7
_STEEP = 4.0
_NEAREST = (1, 5, 10)
_SPEC, _LEARNED = "scope.json", "learned.npy"


@dataclass(frozen=True, eq=False)
class Scope:
    """Directions of the texts learned from, float32 [m, E] of length 1, and what the signs of a text weigh [SIGNS]."""

    learned: NDArray[np.float32]
    weights: Numbers
    intercept: float

    def log_odds(self, margins: Numbers, meaning: Numbers) -> Numbers:
        """That texts with these margins [n, K] and meanings [n, E] are about none of the classes, [n]."""
        return np.asarray(signs(margins, meaning, self.learned) @ self.weights + self.intercept)

    def files(self) -> dict[str, bytes]:
        """It as files, directions in half precision."""
        spec = msgspec.json.encode(_Spec(self.weights.tolist(), self.intercept)) + b"\n"
        return {_SPEC: spec, _LEARNED: to_npy(self.learned.astype(np.float16))}


class _Spec(msgspec.Struct):
    weights: list[float]
    intercept: float


def scope_from(files: Mapping[str, bytes], prefix: str) -> Scope | None:
    """What the files hold, if they do. Raises ValueError, KeyError or DecodeError when they are damaged."""
    if prefix + _SPEC not in files:
        return None
    spec = read_json(files[prefix + _SPEC], _Spec)
    learned = from_npy(files[prefix + _LEARNED]).astype(np.float32)
    if len(spec.weights) != SIGNS or learned.ndim != 2:
        raise ValueError(f"{len(spec.weights)} weights of {SIGNS} signs, directions of {learned.shape}")
    return Scope(learned, np.array(spec.weights), spec.intercept)


def signs(margins: Numbers, meaning: Numbers, learned: NDArray[np.float32]) -> Numbers:
    """The signs [n, SIGNS] of texts with margins [n, K] and meanings [n, E].

    The largest margin, its lead over the second and the third, the soft maximum of all; the mean likeness (cosine) of
    the nearest one, five and ten of ``learned`` [m, E].
    """
    top = -np.sort(-margins, axis=1)[:, :3]
    soft = top[:, 0] + np.log(np.exp(_STEEP * (margins - top[:, :1])).sum(axis=1)) / _STEEP
    alike = meaning.astype(np.float32) @ learned.T
    most = min(_NEAREST[-1], alike.shape[1])
    near = -np.sort(np.partition(-alike, most - 1, axis=1)[:, :most], axis=1)
    means = [near[:, :count].mean(axis=1) for count in _NEAREST]
    return np.column_stack([top[:, 0], top[:, 0] - top[:, 1], top[:, 0] - top[:, -1], soft, *means]).astype(np.float64)
