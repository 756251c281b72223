"""XGBoost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import msgspec
import numpy as np
import optuna
from onnx import TensorProto, helper
from xgboost import Booster, XGBClassifier, XGBRegressor

from drivetrain.core.decoding import read_json
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph
from drivetrain.train.learner import EARLY, Fields, Fitted, Params, Sample, Size
from drivetrain.train.trees import Rule, Tree, float32_nodes, size_of, time_shift, to_float32, tree_node

_LOGARITHMS = ("count:poisson", "reg:tweedie", "reg:gamma")
"""Objectives whose trees add up the logarithm of the number."""
_PATIENCE = 30
_MOST = 2000


class XGBoost:
    """XGBoost's XGBClassifier, of numbers its XGBRegressor.

    A round may grow several trees side by side, a small forest (``num_parallel_tree``).
    """

    tasks = frozenset(Task)
    any_classes = False
    start: ClassVar[Params] = {
        "learning_rate": 0.1,
        "max_depth": 5,
        "subsample": 0.7,
        "colsample_bynode": 0.4,
        "min_child_weight": 10.0,
        "reg_lambda": 5.0,
        "num_parallel_tree": 2,
    }

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix, and ``early_stopping``."""
        held = {"n_jobs", "random_state", "device", "callbacks", "early_stopping_rounds", "enable_categorical"}
        return (EARLY, *sorted(set(XGBClassifier().get_params()) - held))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Step, size of trees, samples and penalties; the number of rounds is found by stopping."""
        return {
            EARLY: True,
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.3, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 7),
            "subsample": trial.suggest_float("subsample", 0.4, 1.0),
            "colsample_bynode": trial.suggest_float("colsample_bynode", 0.2, 1.0),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 100.0, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 50.0, log=True),
            "num_parallel_tree": trial.suggest_categorical("num_parallel_tree", [1, 2, 4]),
        }

    def settled(self, params: Params, rounds: int) -> Params:
        """As many rounds as the folds needed."""
        if not params.get(EARLY):
            return params
        return {**{key: value for key, value in params.items() if key != EARLY}, "n_estimators": max(1, rounds)}

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Boost; with ``stop`` until it has not improved for 30 rounds, and then back to the best round."""
        shift = time_shift(fields)
        rest = {key: value for key, value in params.items() if key != EARLY}
        x = to_float32(sample.x, shift)
        kind = XGBRegressor if sample.task is Task.NUMBER else XGBClassifier
        if stop is None:
            model = kind(**rest, n_jobs=1, random_state=seed).fit(x, sample.y)
            return FittedXGBoost(model, model.get_booster(), shift)
        patient = {"n_estimators": _MOST, **rest}  # judged by its objective's own loss
        model = kind(**patient, n_jobs=1, random_state=seed, early_stopping_rounds=_PATIENCE)
        model.fit(x, sample.y, eval_set=[(to_float32(stop.x, shift), stop.y)], verbose=False)
        return FittedXGBoost(model, model.get_booster()[: model.best_iteration + 1], shift)


@dataclass(frozen=True)
class FittedXGBoost:
    """A booster cut at its best round, and the shift [F] of its columns."""

    model: XGBClassifier | XGBRegressor
    booster: Booster
    shift: Numbers

    @property
    def rounds(self) -> int:
        """Rounds, each of one or more trees."""
        return int(self.booster.num_boosted_rounds())

    @property
    def size(self) -> Size:
        """Comparisons in all trees."""
        return size_of(self._trees)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> log-odds [n], margins of classes [n, K], or numbers [n]."""
        found = self.booster.inplace_predict(to_float32(x, self.shift), predict_type="margin")
        margin = np.asarray(found, dtype=np.float64)
        margin = margin if margin.ndim == 2 and margin.shape[1] > 1 else margin.reshape(-1)
        return np.exp(margin) if self._logarithm else margin

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The trees, in float32 and in the order in which XGBoost adds them up."""
        cast, constants, single = float32_nodes(prefix, source, self.shift)
        nodes = (
            *cast,
            tree_node(self._trees, Rule("BRANCH_LT", double=False), self._first, single, f"{prefix}float"),
            helper.make_node("Cast", [f"{prefix}float"], [f"{prefix}margin"], to=TensorProto.DOUBLE),
        )
        if not self._logarithm:
            return Subgraph(nodes, constants, f"{prefix}margin")
        raised = helper.make_node("Exp", [f"{prefix}margin"], [f"{prefix}number"])
        return Subgraph((*nodes, raised), constants, f"{prefix}number")

    @property
    def _logarithm(self) -> bool:
        """Whether the trees add up the logarithm of a number."""
        return self._saved.learner.objective.name in _LOGARITHMS

    @cached_property
    def _saved(self) -> _Saved:
        return read_json(bytes(self.booster.save_raw("json")), _Saved)

    @property
    def _first(self) -> Numbers:
        """What the sums start from [M]; XGBoost keeps it in text, before the logarithm where there is one."""
        learner = self._saved.learner
        texts = learner.learner_model_param.base_score.strip("[]").split(",")
        given = np.array(texts, dtype=np.float32)
        if learner.objective.name == "binary:logistic":
            given = -np.log(np.float32(1.0) / given - np.float32(1.0))
        elif self._logarithm:
            given = np.log(given)
        sums = max(1, int(learner.learner_model_param.num_class))
        return np.broadcast_to(given.astype(np.float64), (sums,))

    @property
    def _trees(self) -> list[Tree]:
        grown = self._saved.learner.gradient_booster.model
        return [
            Tree(
                column=np.array(tree.split_indices, dtype=np.int64),
                threshold=np.array(tree.split_conditions),
                left=np.array(tree.left_children, dtype=np.int64),
                right=np.array(tree.right_children, dtype=np.int64),
                missing_left=np.array(tree.default_left, dtype=np.bool_),
                leaf=np.array(tree.left_children) == -1,
                value=np.array(tree.split_conditions),
                target=target,
            )
            for tree, target in zip(grown.trees, grown.tree_info, strict=True)
        ]


class _SavedTree(msgspec.Struct):
    split_indices: list[int]
    split_conditions: list[float]
    left_children: list[int]
    right_children: list[int]
    default_left: list[int]


class _SavedTrees(msgspec.Struct):
    trees: list[_SavedTree]
    tree_info: list[int]


class _SavedBooster(msgspec.Struct):
    model: _SavedTrees


class _SavedParams(msgspec.Struct):
    base_score: str
    num_class: str


class _SavedObjective(msgspec.Struct):
    name: str


class _SavedLearner(msgspec.Struct):
    gradient_booster: _SavedBooster
    learner_model_param: _SavedParams
    objective: _SavedObjective


class _Saved(msgspec.Struct):
    """The part of XGBoost's JSON that an export needs (docs: "Introduction to Model IO")."""

    learner: _SavedLearner
