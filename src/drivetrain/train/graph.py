"""The ONNX graph of a model: learners' subgraphs, their blend and the link, from ``row`` to ``score``.

Doubles from end to end but inside trees that were grown on float32. Nothing in the bytes depends on time or place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.links import Link, Softmax
from drivetrain.ops.ranks import Rank

OPSET = 18
TREE_OPSET = 3
IR = 9
"""Pinned: what ONNX Runtime 1.16 and later read."""
ROW = "row"
SCORE = "score"


@dataclass(frozen=True)
class Subgraph:
    """Nodes that turn ``row`` into margins, ``output`` (float64 [n, 1], or [n, K] of classes), and their constants."""

    nodes: tuple[NodeProto, ...]
    constants: tuple[TensorProto, ...]
    output: str


@dataclass(frozen=True)
class Part:
    """A member of a blend: its subgraph and the weight of its margins."""

    subgraph: Subgraph
    weight: float


def constant(name: str, value: ArrayLike, dtype: type[np.generic] = np.float64) -> TensorProto:
    """A named constant of a graph."""
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def assemble(parts: Sequence[Part], link: Link, width: int, classes: int = 0) -> bytes:
    """The model's bytes: ``score = link(sum(weight * margin))``; row [n, width], score [n], or [n, K] of K classes."""
    nodes = [node for part in parts for node in part.subgraph.nodes]
    constants = [value for part in parts for value in part.subgraph.constants]
    for position, part in enumerate(parts):
        constants.append(constant(f"weight_{position}", part.weight))
        nodes.append(helper.make_node("Mul", [part.subgraph.output, f"weight_{position}"], [f"weighed_{position}"]))
    weighed = [f"weighed_{position}" for position in range(len(parts))]
    linked = _link_nodes(link)
    nodes += [helper.make_node("Sum", weighed, ["margin"]), *linked.nodes]
    nodes.append(helper.make_node("Reshape", [linked.output, "shape"], [SCORE]))
    constants += [*linked.constants, constant("shape", [-1, classes] if classes else [-1], np.int64)]
    graph = helper.make_graph(
        nodes,
        "drivetrain",
        [helper.make_tensor_value_info(ROW, TensorProto.DOUBLE, ["n", width])],
        [helper.make_tensor_value_info(SCORE, TensorProto.DOUBLE, ["n", classes] if classes else ["n"])],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREE_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="drivetrain")
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _link_nodes(link: Link) -> Subgraph:
    """From ``margin`` to what is answered."""
    if isinstance(link, Rank):
        return _rank_nodes(link)
    steep = helper.make_node("Mul", ["margin", "slope"], ["steep"])
    if isinstance(link, Sigmoid):
        shifted = helper.make_node("Add", ["steep", "intercept"], ["calibrated"])
        share = helper.make_node("Sigmoid", ["calibrated"], ["probability"])
        constants = constant("slope", link.slope), constant("intercept", link.intercept)
        return Subgraph((steep, shifted, share), constants, "probability")
    if isinstance(link, Softmax):
        shares = helper.make_node("Softmax", ["steep"], ["probability"], axis=1)
        return Subgraph((steep, shares), (constant("slope", link.slope),), "probability")
    return Subgraph((), (), "margin")


def _rank_nodes(link: Rank) -> Subgraph:
    """``Rank.apply``: a ramp of its own between each knot and the next, and the way beyond the last one."""
    knots, shares = np.array(link.knots), np.array(link.shares)
    widths, steps = np.diff(knots), np.diff(shares)
    nodes = [
        helper.make_node("Sub", ["margin", "last"], ["behind"]),
        helper.make_node("Max", ["behind", "zero"], ["beyond"]),
        helper.make_node("Add", ["beyond", "reach"], ["whole"]),
        helper.make_node("Div", ["beyond", "whole"], ["gone"]),
        helper.make_node("Mul", ["gone", "rest"], ["tail"]),
    ]
    ramps = (
        helper.make_node("Sub", ["margin", "knots"], ["past"]),
        helper.make_node("Div", ["past", "widths"], ["ramp"]),
        helper.make_node("Clip", ["ramp", "zero", "one"], ["ramps"]),
        helper.make_node("MatMul", ["ramps", "steps"], ["climbed"]),
    )
    constants = [constant("last", knots[-1]), constant("reach", link.reach), constant("zero", 0.0)]
    constants += [constant("rest", 1.0 - shares[-1]), constant("first", shares[0])]
    if len(widths) == 0:
        return Subgraph((*nodes, helper.make_node("Add", ["tail", "first"], ["place"])), tuple(constants), "place")
    nodes += [*ramps, helper.make_node("Sum", ["tail", "climbed", "first"], ["place"])]
    constants += [constant("knots", knots[:-1]), constant("widths", widths), constant("steps", steps[:, None])]
    return Subgraph(tuple(nodes), (*constants, constant("one", 1.0)), "place")
