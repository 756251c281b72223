"""scikit-learn's random forest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import optuna
from onnx import TensorProto, helper
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from drivetrain.core.task import Task
from drivetrain.ops.calibration import log_odds
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Sample, Size
from drivetrain.train.trees import Rule, Tree, float32_nodes, size_of, time_shift, to_float32, tree_node

_FEWEST = 50
SURE = 1e-5
"""A forest's share of votes is kept this far from 0 and 1 before it becomes log-odds."""


class RandomForest:
    """scikit-learn's RandomForestClassifier, of numbers its RandomForestRegressor."""

    tasks = frozenset(Task)
    any_classes = False
    start: ClassVar[Params] = {"min_samples_leaf": 0.0005, "max_samples": 0.2, "max_features": 0.3}

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix."""
        return tuple(sorted(set(RandomForestClassifier().get_params()) - {"n_jobs", "random_state", "verbose"}))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Size of leaves and of samples, and how many columns a split looks at."""
        return {
            "n_estimators": 100,
            "min_samples_leaf": trial.suggest_float("min_samples_leaf", 5e-5, 5e-3, log=True),
            "max_samples": trial.suggest_float("max_samples", 0.1, 0.5),
            "max_features": trial.suggest_float("max_features", 0.2, 0.8),
        }

    def settled(self, params: Params, rounds: int) -> Params:
        """The same; there are no rounds."""
        return params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Grow the trees, on float32 as the library does."""
        shift = time_shift(fields)
        # One thread: with more, probabilities are added up in whatever order the threads end.
        kind = RandomForestRegressor if sample.task is Task.NUMBER else RandomForestClassifier
        model = kind(**_sampled(params, len(sample)), n_jobs=1, random_state=seed)
        return FittedForest(model.fit(to_float32(sample.x, shift), sample.y), shift)


def _sampled(params: Params, rows: int) -> Params:
    """A share of rows as a number of rows, at least 50 where there are so many."""
    share = params.get("max_samples")
    if not isinstance(share, float):
        return params
    return {**params, "max_samples": max(round(share * rows), min(rows, _FEWEST))}


@dataclass(frozen=True)
class FittedForest:
    """A forest and the shift [F] of its columns."""

    model: RandomForestClassifier | RandomForestRegressor
    shift: Numbers
    rounds: int = 0

    @property
    def size(self) -> Size:
        """Comparisons in all trees."""
        return size_of(self._trees)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> log-odds [n] of the trees' mean probability, the logarithms of classes' [n, K], the mean number."""
        single = to_float32(x, self.shift)
        if self._sums is None:
            return np.asarray(self.model.predict(single), dtype=np.float64)
        share = self.model.predict_proba(single)
        return log_odds(np.clip(share[:, 1], SURE, 1.0 - SURE)) if self._sums == 1 else np.log(np.maximum(share, SURE))

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """Trees whose leaves add their share, then the logarithm or the log-odds of the sum."""
        p = prefix
        cast, constants, single = float32_nodes(p, source, self.shift)
        base = np.zeros(self._sums or 1)
        nodes = (
            *cast,
            helper.make_node("Cast", [single], [f"{p}double"], to=TensorProto.DOUBLE),
            tree_node(self._trees, Rule("BRANCH_LEQ", double=True), base, f"{p}double", f"{p}float"),
            helper.make_node("Cast", [f"{p}float"], [f"{p}all"], to=TensorProto.DOUBLE),
        )
        if self._sums is None:
            return Subgraph(nodes, constants, f"{p}all")
        least = constant(f"{p}least", SURE)
        if self._sums > 1:
            logs = (
                helper.make_node("Max", [f"{p}all", f"{p}least"], [f"{p}share"]),
                helper.make_node("Log", [f"{p}share"], [f"{p}margin"]),
            )
            return Subgraph((*nodes, *logs), (*constants, least), f"{p}margin")
        odds = (
            helper.make_node("Clip", [f"{p}all", f"{p}least", f"{p}most"], [f"{p}share"]),
            helper.make_node("Sub", [f"{p}one", f"{p}share"], [f"{p}rest"]),
            helper.make_node("Div", [f"{p}share", f"{p}rest"], [f"{p}odds"]),
            helper.make_node("Log", [f"{p}odds"], [f"{p}margin"]),
        )
        ends = (least, constant(f"{p}most", 1.0 - SURE), constant(f"{p}one", 1.0))
        return Subgraph((*nodes, *odds), (*constants, *ends), f"{p}margin")

    @property
    def _sums(self) -> int | None:
        """How many shares the trees add up: one of yes or no, one of each class; None for a number."""
        if isinstance(self.model, RandomForestRegressor):
            return None
        return 1 if len(self.model.classes_) == 2 else len(self.model.classes_)

    @cached_property
    def _trees(self) -> list[Tree]:
        grown = [member.tree_ for member in self.model.estimators_]
        return [
            Tree(
                column=tree.feature.astype(np.int64),
                threshold=tree.threshold.astype(np.float64),
                left=tree.children_left.astype(np.int64),
                right=tree.children_right.astype(np.int64),
                missing_left=tree.missing_go_to_left.astype(np.bool_),
                leaf=tree.children_left == -1,
                value=self._values(tree.value[:, 0, :]) / len(grown),
            )
            for tree in grown
        ]

    def _values(self, held: Numbers) -> Numbers:
        """What the nodes say: [nodes], or [nodes, K] of classes."""
        if self._sums is None:
            return held[:, 0]
        share = held / held.sum(axis=1, keepdims=True)
        return np.asarray(share[:, 1] if self._sums == 1 else share)
