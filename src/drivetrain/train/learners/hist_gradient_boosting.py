"""scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import optuna
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph
from drivetrain.train.learner import EARLY, Fields, Fitted, Params, Sample, Size
from drivetrain.train.trees import Rule, Tree, size_of, tree_node

_Classifier, _Regressor = HistGradientBoostingClassifier, HistGradientBoostingRegressor
_LOGARITHMS = ("poisson", "gamma")
"""Losses whose trees add up the logarithm of the number."""
_SPLITTABLE = 2
_PATIENCE = 30
_MOST = 2000


class HistGradientBoosting:
    """scikit-learn's HistGradientBoostingClassifier, of numbers its HistGradientBoostingRegressor."""

    tasks = frozenset(Task)
    any_classes = False
    start: ClassVar[Params] = {
        "learning_rate": 0.05,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "max_features": 0.5,
        "l2_regularization": 5.0,
    }

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix; categories are codes here."""
        held = {"random_state", "verbose", "categorical_features", "warm_start"}
        return tuple(sorted({*_Classifier().get_params(), *_Regressor().get_params()} - held))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Step, size of trees, penalties and the share of columns; the number of trees is found by stopping."""
        return {
            EARLY: True,
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 64, log=True),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 300, log=True),
            "max_features": trial.suggest_float("max_features", 0.2, 1.0),
            "l2_regularization": trial.suggest_float("l2_regularization", 0.01, 100.0, log=True),
        }

    def settled(self, params: Params, rounds: int) -> Params:
        """As many trees as the folds needed; the library's defaults stop by themselves and stay as they are."""
        return {**params, EARLY: False, "max_iter": max(1, rounds)} if params.get(EARLY) is True else params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Boost; with ``stop`` until it has not improved for 30 rounds, and then back to the best round."""
        x = _some_value(sample.x)
        kind = _Regressor if sample.task is Task.NUMBER else _Classifier
        if stop is None:
            model = kind(**_unstratified(params, sample), random_state=seed).fit(x, sample.y)
            return FittedHistGradientBoosting(model, model.n_iter_)
        patient = {"max_iter": _MOST, "n_iter_no_change": _PATIENCE, **params}
        model = kind(**patient, random_state=seed)
        model.fit(x, sample.y, X_val=stop.x, y_val=stop.y)
        # validation_score_ begins with the score before the first tree.
        return FittedHistGradientBoosting(model, max(1, int(np.argmax(model.validation_score_))))


def _unstratified(params: Params, sample: Sample) -> Params:
    """Without stopping early where a class has a single case: the library cannot hold back a share of that."""
    alone = sample.task is Task.CLASSES and bool((np.bincount(sample.y.astype(np.int64)) < _SPLITTABLE).any())
    return {EARLY: False, **params} if alone else params


def _some_value(x: Numbers) -> Numbers:
    """Rows whose wholly missing columns are 0: the library cannot bin those (1.9), and no tree will split on one."""
    empty = np.isnan(x).all(axis=0)
    return np.where(empty, 0.0, x) if empty.any() else x


@dataclass(frozen=True)
class FittedHistGradientBoosting:
    """The first ``rounds`` trees of a boosted model."""

    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor
    rounds: int

    @property
    def size(self) -> Size:
        """Comparisons in all trees."""
        return size_of(self._trees)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> log-odds [n], margins of classes [n, K], or numbers [n]."""
        number = isinstance(self.model, HistGradientBoostingRegressor)
        if self.rounds == self.model.n_iter_:
            found = self.model.predict(x) if number else self.model.decision_function(x)
            return np.asarray(found, dtype=np.float64)
        stages = self.model.staged_predict(x) if number else self.model.staged_decision_function(x)
        return next(np.array(stage, dtype=np.float64) for at, stage in enumerate(stages, 1) if at == self.rounds)

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The trees, in doubles as they were grown."""
        base = self.model._baseline_prediction.ravel().astype(np.float64)  # scikit-learn has no public name for it
        nodes = (
            tree_node(self._trees, Rule("BRANCH_LEQ", double=True), base, source, f"{prefix}float"),
            helper.make_node("Cast", [f"{prefix}float"], [f"{prefix}margin"], to=TensorProto.DOUBLE),
        )
        if not (isinstance(self.model, HistGradientBoostingRegressor) and self.model.loss in _LOGARITHMS):
            return Subgraph(nodes, (), f"{prefix}margin")
        raised = helper.make_node("Exp", [f"{prefix}margin"], [f"{prefix}number"])
        return Subgraph((*nodes, raised), (), f"{prefix}number")

    @cached_property
    def _trees(self) -> list[Tree]:
        stages = self.model._predictors[: self.rounds]  # nor for its trees: of each class one, in each stage
        grown = [(target, tree.nodes) for stage in stages for target, tree in enumerate(stage)]
        return [
            Tree(
                column=nodes["feature_idx"].astype(np.int64),
                threshold=nodes["num_threshold"].astype(np.float64),
                left=nodes["left"].astype(np.int64),
                right=nodes["right"].astype(np.int64),
                missing_left=nodes["missing_go_to_left"].astype(np.bool_),
                leaf=nodes["is_leaf"].astype(np.bool_),
                value=nodes["value"].astype(np.float64),
                target=target,
            )
            for target, nodes in grown
        ]
