"""A person's own estimator: ``file.py:function`` that returns a scikit-learn classifier, or of numbers a regressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx
import optuna
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import BaseEstimator, is_regressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBRegressor

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.task import Task
from drivetrain.ops.calibration import log_odds
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import OPSET, ROW, TREE_OPSET, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Sample, Size
from drivetrain.train.learners.hist_gradient_boosting import FittedHistGradientBoosting
from drivetrain.train.learners.imputer import convert_imputer, imputer_shape
from drivetrain.train.learners.random_forest import FittedForest
from drivetrain.train.learners.xgboost import FittedXGBoost

_BINARY = 2
SURE = 1e-9
"""A probability is kept this far from 0 and 1 before it becomes log-odds."""


class Hook:
    """The estimator that a person's function makes. Its fixed params are the function's arguments."""

    tasks = frozenset(Task)
    any_classes = False
    start = None

    def __init__(self, path: str, build: object) -> None:
        if not callable(build):
            raise InvalidInput("hook_invalid", f"{path} is not a function", hint="let it return a classifier")
        self._path = path
        self._build = cast(Callable[..., object], build)

    def parameters(self) -> None:
        """Whatever the function takes."""

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Nothing: an estimator of one's own is taken as it is."""
        return {}

    def settled(self, params: Params, rounds: int) -> Params:
        """The same."""
        return params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Fit on packed rows; raises InvalidInput, with the estimator's own words, when it cannot."""
        estimator = _seeded(self._made(params, sample.task), seed)
        try:
            estimator.fit(sample.x, sample.y)
        except (ValueError, TypeError) as error:
            text = str(error).strip().splitlines()[0]
            raise InvalidInput(
                "estimator_failed",
                f"the estimator does not fit: {text}",
                where=self._path,
                hint="it gets float64 columns with NaN for missing; make_pipeline(SimpleImputer(), ...) takes those",
            ) from error
        return _exportable(estimator, self._path, sample.x.shape[1])

    def _made(self, params: Params, task: Task) -> BaseEstimator:
        try:
            estimator = self._build(**params)
        except TypeError as error:
            raise InvalidInput("hook_invalid", f"calling it failed: {error}", where=self._path) from error
        if task is Task.NUMBER and not is_regressor(estimator):
            raise InvalidInput(
                "hook_invalid",
                f"it made {type(estimator).__name__}, not a scikit-learn regressor",
                where=self._path,
                hint="the task is `number`: return a regressor, such as Ridge()",
            )
        if not isinstance(estimator, BaseEstimator) or not (task is Task.NUMBER or hasattr(estimator, "predict_proba")):
            raise InvalidInput(
                "hook_invalid",
                f"it made {type(estimator).__name__}, not a scikit-learn classifier with predict_proba",
                where=self._path,
                hint="wrap a classifier without probabilities in CalibratedClassifierCV",
            )
        return estimator


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted scikit-learn classifier or regressor that skl2onnx exports."""

    model: BaseEstimator
    path: str
    width: int
    rounds: int = 0

    @property
    def size(self) -> Size:
        """Values in the exported graph, the nearest that can be said of an unknown estimator."""
        return Size(operations=_values(self.to_onnx("")))

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> log-odds [n], logarithms of classes' probabilities [n, K], or numbers [n]."""
        if is_regressor(self.model):
            return np.asarray(self.model.predict(x), dtype=np.float64).reshape(-1)
        found = np.asarray(self.model.predict_proba(x), dtype=np.float64)
        if found.shape[1] > _BINARY:
            return np.log(np.maximum(found, SURE))
        return log_odds(np.clip(found[:, 1], SURE, 1.0 - SURE))

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """What skl2onnx makes of it in doubles; raises Refused and names the step that has no converter."""
        p = prefix
        made = _converted(self.model, self.path, self.width, prefix, source)
        if is_regressor(self.model):
            flat = helper.make_node("Reshape", [made.output, f"{p}column"], [f"{p}margin"])
            return Subgraph(
                (*made.nodes, flat), (*made.constants, constant(f"{p}column", [-1, 1], np.int64)), f"{p}margin"
            )
        if len(self.model.classes_) > _BINARY:
            logs = (
                helper.make_node("Max", [made.output, f"{p}least"], [f"{p}share"]),
                helper.make_node("Log", [f"{p}share"], [f"{p}margin"]),
            )
            return Subgraph((*made.nodes, *logs), (*made.constants, constant(f"{p}least", SURE)), f"{p}margin")
        tail = (
            helper.make_node("Gather", [made.output, f"{p}true"], [f"{p}raw"], axis=1),
            helper.make_node("Clip", [f"{p}raw", f"{p}least", f"{p}most"], [f"{p}share"]),
            helper.make_node("Sub", [f"{p}one", f"{p}share"], [f"{p}rest"]),
            helper.make_node("Div", [f"{p}share", f"{p}rest"], [f"{p}odds"]),
            helper.make_node("Log", [f"{p}odds"], [f"{p}margin"]),
        )
        ends = (
            constant(f"{p}true", [1], np.int64),
            constant(f"{p}least", SURE),
            constant(f"{p}most", 1.0 - SURE),
            constant(f"{p}one", 1.0),
        )
        return Subgraph((*made.nodes, *tail), (*made.constants, *ends), f"{p}margin")


@dataclass(frozen=True)
class FittedSteps:
    """A fitted pipeline that ends in trees: skl2onnx exports the steps before them, we the trees, exactly."""

    steps: Pipeline
    head: Fitted
    path: str
    width: int

    @property
    def rounds(self) -> int:
        """Those of the trees."""
        return self.head.rounds

    @property
    def size(self) -> Size:
        """That of the trees and the values in the steps before them."""
        head = self.head.size
        return Size(head.operations + _values(_converted(self.steps, self.path, self.width, "", ROW)), head.trees)

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> log-odds [n]."""
        return self.head.margin(np.asarray(self.steps.transform(x), dtype=np.float64))

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The steps, then the trees; raises Refused and names the step that has no converter."""
        before = _converted(self.steps, self.path, self.width, f"{prefix}steps_", source)
        after = self.head.to_onnx(prefix, before.output)
        return Subgraph((*before.nodes, *after.nodes), (*before.constants, *after.constants), after.output)


def _converted(model: BaseEstimator, path: str, width: int, prefix: str, source: str) -> Subgraph:
    """What skl2onnx makes of an estimator in doubles: its last output, as float64."""
    opsets = {"": OPSET, "ai.onnx.ml": TREE_OPSET}
    # A classifier's outputs are its label and its probabilities; without the option the latter become a list of maps.
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    try:
        made: onnx.ModelProto = convert_sklearn(
            model, "hook", [("input", DoubleTensorType([None, width]))], target_opset=opsets, options=options,
            naming=_numbered, custom_shape_calculators={SimpleImputer: imputer_shape},
            custom_conversion_functions={SimpleImputer: convert_imputer},
        )  # fmt: skip
    except (MissingShapeCalculator, MissingConverter, RuntimeError, NotImplementedError, NameError) as error:
        raise Refused(
            "export_unsupported",
            f"{_blamed(model, str(error))} has no exact ONNX converter",
            where=path,
            hint="replace that step; skl2onnx lists what it converts under `supported scikit-learn models`",
        ) from error
    graph = onnx.compose.add_prefix_graph(made.graph, prefix)
    nodes = (
        helper.make_node("Identity", [source], [graph.input[0].name]),
        *graph.node,
        helper.make_node("Cast", [graph.output[-1].name], [f"{prefix}double"], to=TensorProto.DOUBLE),
    )
    return Subgraph(nodes, tuple(graph.initializer), f"{prefix}double")


def _values(graph: Subgraph) -> int:
    return sum(int(np.prod(value.dims)) for value in graph.constants)


def _numbered(name: str, existing: set[str]) -> str:
    """Names that depend on nothing but their order."""
    number = 0
    while f"{name}{number}" in existing:
        number += 1
    return f"{name}{number}"


def _exportable(estimator: BaseEstimator, path: str, width: int) -> Fitted:
    if isinstance(estimator, Pipeline) and len(estimator) > 1 and (head := _known_trees(estimator[-1])) is not None:
        return FittedSteps(estimator[:-1], head, path, width)
    return _known_trees(estimator) or FittedEstimator(estimator, path, width)


def _known_trees(estimator: BaseEstimator) -> Fitted | None:
    """Estimators whose trees we export ourselves, exactly; skl2onnx rounds their thresholds."""
    if type(estimator) in (RandomForestClassifier, RandomForestRegressor):
        return FittedForest(estimator, np.zeros(estimator.n_features_in_))
    if type(estimator) in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
        return FittedHistGradientBoosting(estimator, estimator.n_iter_)
    if type(estimator) in (XGBClassifier, XGBRegressor):
        return FittedXGBoost(estimator, estimator.get_booster(), np.zeros(estimator.n_features_in_))
    return None


def _seeded(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """The estimator with every open seed set, and one thread where it asks for more, wherever in its steps."""
    found: Mapping[str, object] = estimator.get_params(deep=True)
    seeds = {key: seed for key, value in found.items() if key.split("__")[-1] == "random_state" and value is None}
    threads = {key: 1 for key, value in found.items() if key.split("__")[-1] == "n_jobs" and value is not None}
    return estimator.set_params(**seeds, **threads)


def _blamed(estimator: BaseEstimator, words: str) -> str:
    """The step whose class the converter's complaint names."""
    steps = {key: value for key, value in estimator.get_params(deep=True).items() if isinstance(value, BaseEstimator)}
    for key, value in steps.items():
        if type(value).__name__ in words:
            return f"step {key!r} ({type(value).__name__})"
    return type(estimator).__name__
