"""scikit-learn's isolation forest: what a few random cuts set apart is odd (Liu, Ting & Zhou 2008)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from onnx import TensorProto, helper
from sklearn.ensemble import IsolationForest as Forest

from drivetrain.ops.anomalies import isolation_depth
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Size
from drivetrain.train.trees import Rule, Tree, float32_nodes, size_of, time_shift, to_float32, tree_node

_HELD = {"n_jobs", "random_state", "verbose", "contamination", "warm_start"}


class IsolationForest:
    """Random trees over samples of the rows; a text counts by how common it is, a missing value as a typical one."""

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix."""
        return tuple(sorted(set(Forest().get_params()) - _HELD))

    def fit(self, x: Numbers, fields: Fields, params: Params, *, seed: int) -> Fitted:
        """Grow the trees, on float32 as the library does."""
        typical, shift = np.array([field.typical for field in fields]), time_shift(fields)
        model = Forest(**params, n_jobs=1, random_state=seed)
        return FittedIsolation(model.fit(to_float32(_filled(x, typical), shift)), typical, shift)


@dataclass(frozen=True, eq=False)
class FittedIsolation:
    """A forest, what stands for missing values [F], and the shift [F] of its columns."""

    model: Forest
    typical: Numbers
    shift: Numbers
    rounds: int = 0

    @property
    def size(self) -> Size:
        """Comparisons in all trees."""
        return size_of(self._trees)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> oddness [n]: less the mean depth, as a share of that of a usual row."""
        single = to_float32(_filled(x, self.typical), self.shift)
        grown = zip(self.model.estimators_, self.model.estimators_features_, self._trees, strict=True)
        depths = (tree.value[member.tree_.apply(single[:, columns])] for member, columns, tree in grown)
        return np.asarray(sum(depths), dtype=np.float32).astype(np.float64)  # rounded once, as the graph does

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """Trees whose leaves add their depth."""
        p = prefix
        cast, constants, single = float32_nodes(p, f"{p}filled", self.shift)
        nodes = (
            helper.make_node("IsNaN", [source], [f"{p}missing"]),
            helper.make_node("Where", [f"{p}missing", f"{p}typical", source], [f"{p}filled"]),
            *cast,
            helper.make_node("Cast", [single], [f"{p}double"], to=TensorProto.DOUBLE),
            tree_node(self._trees, Rule("BRANCH_LEQ", double=True), np.zeros(1), f"{p}double", f"{p}float"),
            helper.make_node("Cast", [f"{p}float"], [f"{p}oddness"], to=TensorProto.DOUBLE),
        )
        return Subgraph(nodes, (*constants, constant(f"{p}typical", self.typical)), f"{p}oddness")

    @cached_property
    def _trees(self) -> list[Tree]:
        usual = float(isolation_depth(np.array([self.model.max_samples_]))[0])
        share = -1.0 / (len(self.model.estimators_) * max(usual, 1.0))
        found = []
        for member, columns in zip(self.model.estimators_, self.model.estimators_features_, strict=True):
            grown, leaf = member.tree_, member.tree_.children_left == -1
            tree = Tree(
                column=columns[np.where(leaf, 0, grown.feature)].astype(np.int64),
                threshold=grown.threshold.astype(np.float64),
                left=grown.children_left.astype(np.int64),
                right=grown.children_right.astype(np.int64),
                missing_left=np.zeros(len(leaf), dtype=np.bool_),
                leaf=leaf,
                value=np.zeros(len(leaf)),
            )
            depth = tree.levels + isolation_depth(grown.n_node_samples.astype(np.int64))
            found.append(replace(tree, value=share * depth))
        return found


def _filled(x: Numbers, typical: Numbers) -> Numbers:
    return np.where(np.isnan(x), typical, x)
