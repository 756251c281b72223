"""Ensembles of binary trees as flat arrays, and the one ONNX node that sums them exactly as their library does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from drivetrain.core.schema import ColumnType
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.train.graph import constant
from drivetrain.train.learner import Fields, Size

Integers = NDArray[np.int64]
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Tree:
    """One tree, a value per node: which column to compare with which threshold, where to go, what a leaf adds.

    ``missing_left`` says where a missing value goes. A leaf has ``leaf`` set; its column and branches mean nothing.
    """

    column: Integers
    threshold: Numbers
    left: Integers
    right: Integers
    missing_left: Labels
    leaf: Labels
    value: Numbers

    @property
    def depth(self) -> int:
        """Comparisons on the longest way from the root to a leaf."""
        level = np.zeros(len(self.leaf), dtype=np.int64)
        for node in np.flatnonzero(~self.leaf):  # every library here numbers parents before their children
            level[self.left[node]] = level[self.right[node]] = level[node] + 1
        return int(level.max())


def size_of(trees: Sequence[Tree]) -> Size:
    """What scoring one row through all trees costs, at most."""
    return Size(operations=sum(tree.depth for tree in trees), trees=len(trees))


def time_shift(fields: Fields) -> Numbers:
    """What to take from each column [F] before it is rounded to float32: seconds since 1970 do not fit, days do."""
    times = (ColumnType.DATE, ColumnType.TIMESTAMP)
    return np.array([field.typical if field.type in times else 0.0 for field in fields])


def to_float32(x: Numbers, shift: Numbers) -> NDArray[np.float32]:
    """Rows [n, F] as trees that grow on float32 take them."""
    return np.clip(x - shift, -_LARGEST, _LARGEST).astype(np.float32)


def float32_nodes(
    prefix: str, source: str, shift: Numbers
) -> tuple[tuple[NodeProto, ...], tuple[TensorProto, ...], str]:
    """``to_float32`` as nodes; gives them, their constants and the name of what they make."""
    if not shift.any():
        return (helper.make_node("Cast", [source], [f"{prefix}x"], to=TensorProto.FLOAT),), (), f"{prefix}x"
    nodes = (
        helper.make_node("Sub", [source, f"{prefix}shift"], [f"{prefix}shifted"]),
        helper.make_node("Cast", [f"{prefix}shifted"], [f"{prefix}x"], to=TensorProto.FLOAT),
    )
    return nodes, (constant(f"{prefix}shift", shift),), f"{prefix}x"


@dataclass(frozen=True)
class Rule:
    """How a library compares (value <= threshold or value < threshold) and in which precision it adds up."""

    mode: Literal["BRANCH_LEQ", "BRANCH_LT"]
    double: bool


def tree_node(trees: Sequence[Tree], rule: Rule, base: float, source: str, target: str) -> NodeProto:
    """The sum of ``base`` and all trees: ``source`` [n, F], float64 if the rule is double -> ``target`` float32 [n, 1].

    Double trees compare and add in float64 and round once, at the end. Float trees start from ``base``, which is put
    into the first tree's leaves, because XGBoost adds in that order: not one bit differs then.
    """
    numbers = _numbers(_based(trees, base)) if rule.double else _numbers(_based_float(trees, base))
    columns = np.concatenate([np.where(tree.leaf, 0, tree.column) for tree in trees])
    leaf = np.concatenate([tree.leaf for tree in trees])
    owner = np.repeat(np.arange(len(trees)), [len(tree.leaf) for tree in trees])
    place = np.concatenate([np.arange(len(tree.leaf)) for tree in trees])
    return helper.make_node(
        "TreeEnsembleRegressor",
        [source],
        [target],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=owner.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=columns.tolist(),
        nodes_modes=np.where(leaf, "LEAF", rule.mode).tolist(),
        nodes_truenodeids=np.concatenate([np.where(tree.leaf, 0, tree.left) for tree in trees]).tolist(),
        nodes_falsenodeids=np.concatenate([np.where(tree.leaf, 0, tree.right) for tree in trees]).tolist(),
        nodes_missing_value_tracks_true=np.concatenate([tree.missing_left for tree in trees]).astype(int).tolist(),
        target_treeids=owner[leaf].tolist(),
        target_nodeids=place[leaf].tolist(),
        target_ids=np.zeros(int(leaf.sum()), dtype=int).tolist(),
        **_values(*numbers, leaf, double=rule.double),
    )


def _based(trees: Sequence[Tree], base: float) -> list[tuple[Numbers, Numbers]]:
    return [(tree.threshold, tree.value + (base if position == 0 else 0.0)) for position, tree in enumerate(trees)]


def _based_float(trees: Sequence[Tree], base: float) -> list[tuple[Numbers, Numbers]]:
    first = (trees[0].threshold, (np.float32(base) + trees[0].value.astype(np.float32)).astype(np.float64))
    return [first, *((tree.threshold, tree.value) for tree in trees[1:])]


def _numbers(pairs: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    return np.concatenate([threshold for threshold, _ in pairs]), np.concatenate([value for _, value in pairs])


def _values(threshold: Numbers, value: Numbers, leaf: Labels, *, double: bool) -> dict[str, Any]:
    cuts = np.where(leaf, 0.0, threshold)
    if double:
        return {
            "nodes_values_as_tensor": constant("thresholds", cuts),
            "target_weights_as_tensor": constant("leaves", value[leaf]),
        }
    return {"nodes_values": cuts.tolist(), "target_weights": value[leaf].tolist()}
