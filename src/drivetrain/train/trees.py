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
    ``value`` [nodes] is added to the sum number ``target``; a ``value`` [nodes, M] adds to each of M sums.
    """

    column: Integers
    threshold: Numbers
    left: Integers
    right: Integers
    missing_left: Labels
    leaf: Labels
    value: Numbers
    target: int = 0

    @property
    def levels(self) -> Integers:
        """Comparisons on the way from the root to each node, [nodes]."""
        level = np.zeros(len(self.leaf), dtype=np.int64)
        for node in np.flatnonzero(~self.leaf):  # every library here numbers parents before their children
            level[self.left[node]] = level[self.right[node]] = level[node] + 1
        return level

    @property
    def depth(self) -> int:
        """Comparisons on the longest way from the root to a leaf."""
        return int(self.levels.max())


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


def tree_node(trees: Sequence[Tree], rule: Rule, base: Numbers, source: str, target: str) -> NodeProto:
    """The sums of ``base`` [M] and all trees: ``source`` [n, F], float64 if the rule is double -> ``target`` [n, M].

    The sums are float32. Double trees compare and add in float64 and round once, at the end. Float trees start from
    ``base``, which is put into the leaves of each sum's first tree, because XGBoost adds in that order: not one bit
    differs then.
    """
    threshold = np.concatenate([tree.threshold for tree in trees])
    values = _based(trees, base, np.float64 if rule.double else np.float32)
    columns = np.concatenate([np.where(tree.leaf, 0, tree.column) for tree in trees])
    leaf = np.concatenate([tree.leaf for tree in trees])
    owner = np.repeat(np.arange(len(trees)), [len(tree.leaf) for tree in trees])
    place = np.concatenate([np.arange(len(tree.leaf)) for tree in trees])
    width = values.shape[1]  # of each leaf: one sum of its tree's own, or all of them
    targets = np.concatenate([_targets(tree, width) for tree in trees])
    return helper.make_node(
        "TreeEnsembleRegressor",
        [source],
        [target],
        domain="ai.onnx.ml",
        n_targets=len(base),
        nodes_treeids=owner.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=columns.tolist(),
        nodes_modes=np.where(leaf, "LEAF", rule.mode).tolist(),
        nodes_truenodeids=np.concatenate([np.where(tree.leaf, 0, tree.left) for tree in trees]).tolist(),
        nodes_falsenodeids=np.concatenate([np.where(tree.leaf, 0, tree.right) for tree in trees]).tolist(),
        nodes_missing_value_tracks_true=np.concatenate([tree.missing_left for tree in trees]).astype(int).tolist(),
        target_treeids=np.repeat(owner[leaf], width).tolist(),
        target_nodeids=np.repeat(place[leaf], width).tolist(),
        target_ids=targets.ravel().tolist(),
        **_values(np.where(leaf, 0.0, threshold), values[leaf].ravel(), double=rule.double),
    )


def _based(trees: Sequence[Tree], base: Numbers, kind: type[np.float32] | type[np.float64]) -> Numbers:
    """What the nodes add, [nodes, 1 or M], with ``base`` in the first tree of each sum, added in that precision."""
    started: set[int] = set()
    found = []
    for tree in trees:
        value = tree.value.reshape(len(tree.leaf), -1)
        if tree.target not in started:
            start = base if value.shape[1] > 1 else base[tree.target]
            value = (np.asarray(start, dtype=kind) + value.astype(kind)).astype(np.float64)
            started.add(tree.target)
        found.append(value)
    return np.concatenate(found)


def _targets(tree: Tree, width: int) -> Integers:
    """Which sum each number of each leaf is added to, [leaves, width]."""
    leaves = int(tree.leaf.sum())
    return np.full((leaves, 1), tree.target) if width == 1 else np.tile(np.arange(width), (leaves, 1))


def _values(cuts: Numbers, added: Numbers, *, double: bool) -> dict[str, Any]:
    if double:
        return {
            "nodes_values_as_tensor": constant("thresholds", cuts),
            "target_weights_as_tensor": constant("leaves", added),
        }
    return {"nodes_values": cuts.tolist(), "target_weights": added.tolist()}
