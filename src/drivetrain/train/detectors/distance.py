"""How far a row lies from the middle, column by column: see ``ops.anomalies``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import helper

from drivetrain.ops.anomalies import Usual, learn_usual
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Size

_LEAST, _MOST = 1e-12, 600.0
"""Added to the squared distance, and the largest logarithm: the oddness of a row stays finite."""


class Distance:
    """Medians and spreads. A few bad rows among those it learns from hardly move them."""

    def parameters(self) -> tuple[str, ...]:
        """None: there is nothing to choose."""
        return ()

    def fit(self, x: Numbers, fields: Fields, params: Params, *, seed: int) -> Fitted:
        """Find the middle and the spread of each column. Raises InvalidInput for fewer than 20 rows."""
        return FittedDistance(learn_usual(x))


@dataclass(frozen=True)
class FittedDistance:
    """The logarithm of the squared distance."""

    usual: Usual
    rounds: int = 0

    @property
    def size(self) -> Size:
        """Two multiplications a column."""
        return Size(operations=2 * len(self.usual.center))

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> oddness [n]."""
        with np.errstate(over="ignore"):
            squared = self.usual.parts(x).sum(axis=1) + _LEAST
        return np.asarray(np.minimum(np.log(squared), _MOST))

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The same, in doubles."""
        p = prefix
        nodes = (
            helper.make_node("IsNaN", [source], [f"{p}missing"]),
            helper.make_node("Where", [f"{p}missing", f"{p}center", source], [f"{p}filled"]),
            helper.make_node("Sub", [f"{p}filled", f"{p}center"], [f"{p}gap"]),
            helper.make_node("Mul", [f"{p}gap", f"{p}steepness"], [f"{p}away"]),
            helper.make_node("Mul", [f"{p}away", f"{p}away"], [f"{p}squares"]),
            helper.make_node("ReduceMean", [f"{p}squares", f"{p}columns"], [f"{p}mean"], keepdims=1),
            helper.make_node("Add", [f"{p}mean", f"{p}least"], [f"{p}squared"]),
            helper.make_node("Log", [f"{p}squared"], [f"{p}logarithm"]),
            helper.make_node("Min", [f"{p}logarithm", f"{p}most"], [f"{p}oddness"]),
        )
        constants = (
            constant(f"{p}center", self.usual.center),
            constant(f"{p}steepness", self.usual.steepness),
            constant(f"{p}columns", [1], np.int64),
            constant(f"{p}least", _LEAST),
            constant(f"{p}most", _MOST),
        )
        return Subgraph(nodes, constants, f"{p}oddness")
