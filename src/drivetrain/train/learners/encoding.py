"""Packed rows as columns that a linear model weighs: imputed, scaled, one-hot encoded, perhaps piecewise linear."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import cut_points
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Size

Columns = NDArray[np.int64]
_CODES = 30
_CELLS = 50_000_000


@dataclass(frozen=True)
class Encoding:
    """What turns packed rows [n, F] into columns to weigh [n, W], in this order.

    Ramps: ``min(max((x[column] - shift) * scale, low), high)`` after missing values became ``typical``; flags: whether
    a column is missing; codes: whether a column holds a certain category.
    """

    typical: Numbers
    columns: Columns
    shift: Numbers
    scale: Numbers
    low: Numbers
    high: Numbers
    flags: Columns
    coded: Columns
    codes: Numbers

    def apply(self, x: Numbers) -> Numbers:
        """[n, F] -> [n, W]."""
        filled = np.where(np.isnan(x), self.typical, x)
        ramps = (filled[:, self.columns] - self.shift) * self.scale
        return np.hstack(
            [
                np.minimum(np.maximum(ramps, self.low), self.high),
                np.isnan(x[:, self.flags]).astype(np.float64),
                (x[:, self.coded] == self.codes).astype(np.float64),
            ]
        )


@dataclass(frozen=True)
class FittedLinear:
    """An encoding, its weights [W, M], and what is added [M]."""

    encoding: Encoding
    weights: Numbers
    intercept: Numbers
    rounds: int = 0

    @property
    def size(self) -> Size:
        """One multiplication for each weight."""
        return Size(operations=self.weights.size)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> [n], or [n, M] where there are several sums."""
        found = np.asarray(self.encoding.apply(x) @ self.weights + self.intercept)
        return found[:, 0] if len(self.intercept) == 1 else found

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The encoding and the weights, in doubles."""
        nodes, constants, encoded = encoding_nodes(self.encoding, prefix, source)
        p = prefix
        nodes += [
            helper.make_node("MatMul", [encoded, f"{p}weights"], [f"{p}sum"]),
            helper.make_node("Add", [f"{p}sum", f"{p}intercept"], [f"{p}margin"]),
        ]
        constants += [constant(f"{p}weights", self.weights), constant(f"{p}intercept", self.intercept)]
        return Subgraph(tuple(nodes), tuple(constants), f"{p}margin")


def encode(x: Numbers, fields: Fields, knots: int) -> Encoding:
    """The encoding of packed rows [n, F]; ``knots`` parts each number into about that many ranges, 0 into none.

    With knots it is piecewise linear (Gorishniy et al. 2022), which tames long tails; without, standardised.
    """
    knots = min(knots, max(2, _CELLS // max(1, x.size))) if knots else 0
    text = [position for position, field in enumerate(fields) if field.type is ColumnType.TEXT]
    pairs = [(position, code) for position in text for code in range(min(_CODES, len(fields[position].categories)))]
    ramps = [
        (position, *ramp)
        for position in range(len(fields))
        if position not in text
        for ramp in _ramps(x[:, position], knots)
    ]
    flags = np.flatnonzero(np.isnan(x).any(axis=0))
    if not (ramps or pairs or flags.size):
        ramps = [(0, 0.0, 0.0, 0.0, 0.0)]  # nothing tells the rows apart: one column that is always 0
    columns, shift, scale, low, high = zip(*ramps, strict=True) if ramps else ((), (), (), (), ())
    return Encoding(
        typical=np.array([field.typical for field in fields]),
        columns=np.array(columns, dtype=np.int64),
        shift=np.array(shift, dtype=np.float64),
        scale=np.array(scale, dtype=np.float64),
        low=np.array(low, dtype=np.float64),
        high=np.array(high, dtype=np.float64),
        flags=flags.astype(np.int64),
        coded=np.array([position for position, _ in pairs], dtype=np.int64),
        codes=np.array([code for _, code in pairs], dtype=np.float64),
    )


def _ramps(values: Numbers, knots: int) -> list[tuple[float, float, float, float]]:
    """Shift, scale, low and high of each ramp of one column; none for a column without two values."""
    known = values[~np.isnan(values)]
    if known.size == 0 or known.min() == known.max():
        return []
    if not knots:
        return [(float(known.mean()), float(1.0 / known.std()), -np.inf, np.inf)]
    ends = np.unique([known.min(), *cut_points(known, knots), known.max()])
    return [(float(start), float(1.0 / (end - start)), 0.0, 1.0) for start, end in pairwise(ends)]


def encoding_nodes(encoding: Encoding, p: str, source: str) -> tuple[list[NodeProto], list[TensorProto], str]:
    """``Encoding.apply`` as nodes; parts of no width are left out."""
    nodes = [
        helper.make_node("IsNaN", [source], [f"{p}missing"]),
        helper.make_node("Where", [f"{p}missing", f"{p}typical", source], [f"{p}filled"]),
    ]
    constants = [constant(f"{p}typical", encoding.typical)]
    made = []
    if encoding.columns.size:
        nodes += [
            helper.make_node("Gather", [f"{p}filled", f"{p}columns"], [f"{p}gathered"], axis=1),
            helper.make_node("Sub", [f"{p}gathered", f"{p}shift"], [f"{p}shifted"]),
            helper.make_node("Mul", [f"{p}shifted", f"{p}scale"], [f"{p}scaled"]),
            helper.make_node("Max", [f"{p}scaled", f"{p}low"], [f"{p}above"]),
            helper.make_node("Min", [f"{p}above", f"{p}high"], [f"{p}ramps"]),
        ]
        constants += [
            constant(f"{p}columns", encoding.columns, np.int64),
            *(constant(f"{p}{name}", getattr(encoding, name)) for name in ("shift", "scale", "low", "high")),
        ]
        made.append(f"{p}ramps")
    if encoding.flags.size:
        nodes += [
            helper.make_node("Gather", [f"{p}missing", f"{p}flags"], [f"{p}flagged"], axis=1),
            helper.make_node("Cast", [f"{p}flagged"], [f"{p}flag"], to=TensorProto.DOUBLE),
        ]
        constants.append(constant(f"{p}flags", encoding.flags, np.int64))
        made.append(f"{p}flag")
    if encoding.coded.size:
        nodes += [
            helper.make_node("Gather", [source, f"{p}coded"], [f"{p}texts"], axis=1),
            helper.make_node("Equal", [f"{p}texts", f"{p}codes"], [f"{p}matches"]),
            helper.make_node("Cast", [f"{p}matches"], [f"{p}one_hot"], to=TensorProto.DOUBLE),
        ]
        constants += [constant(f"{p}coded", encoding.coded, np.int64), constant(f"{p}codes", encoding.codes)]
        made.append(f"{p}one_hot")
    nodes.append(helper.make_node("Concat", made, [f"{p}encoded"], axis=1))
    return nodes, constants, f"{p}encoded"
