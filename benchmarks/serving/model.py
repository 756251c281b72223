"""The one model that every contestant serves: 200 trees of XGBoost behind imputation and scaling, 24 named columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from onnx import helper
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.metrics import Numbers
from drivetrain.store.models import ModelContent, Scorer
from drivetrain.testing.graphs import model_of
from drivetrain.train.graph import ROW, Part, Subgraph, assemble, constant
from drivetrain.train.learners.xgboost import FittedXGBoost

COLUMNS = tuple(f"c{number}" for number in range(24))
PIPELINE, GRAPH = "pipeline.joblib", "model.onnx"
_TREES = 200
_SCALED = "scaled"
_PARITY = 1e-6


@dataclass(frozen=True)
class Model:
    """The scikit-learn pipeline, the same as an ONNX graph, and the rows [n, 24] it was trained on."""

    pipeline: Pipeline
    graph: bytes
    rows: Numbers

    @property
    def content(self) -> ModelContent:
        """What Drivetrain releases."""
        fields = tuple(InputField(name, ColumnType.NUMBER, True) for name in COLUMNS)
        return model_of(self.graph, Signature(fields, "id", "y"), self.rows)

    def score(self, rows: Numbers) -> Numbers:
        """What the pipeline answers for rows [n, 24]: the probabilities [n] that contestants are held against."""
        return self.pipeline.predict_proba(pd.DataFrame(rows, columns=COLUMNS))[:, 1]

    def write(self, folder: Path) -> None:
        """Both forms, as files for the peers. The joblib file is read by nobody but the peers of this benchmark."""
        joblib.dump(self.pipeline, folder / PIPELINE)
        (folder / GRAPH).write_bytes(self.graph)


def train() -> Model:
    """Fit the pipeline, make the graph of it, and see that both answer alike."""
    rows = draw(20_000, seed=0)
    known = np.nan_to_num(rows)
    label = known[:, :4].sum(axis=1) + np.sin(3 * known[:, 4]) > 0.5
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    trees = XGBClassifier(n_estimators=_TREES, max_depth=6, learning_rate=0.1, n_jobs=1, random_state=0)
    steps = [("numbers", ColumnTransformer([("scaled", numbers, list(COLUMNS))])), ("trees", trees)]
    pipeline = Pipeline(steps).fit(pd.DataFrame(rows, columns=COLUMNS), label)
    model = Model(pipeline, _graph(pipeline), rows)
    gap = np.abs(Scorer(model.graph).score(rows) - model.score(rows)).max()
    if gap > _PARITY:
        raise SystemExit(f"the graph and the pipeline differ by {gap:.1e}")
    return model


def draw(count: int, seed: int) -> Numbers:
    """Rows [count, 24] with four decimals; one value in fifty is missing."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, len(COLUMNS))), 4)
    rows[generator.random(rows.shape) < 0.02] = np.nan
    return rows


def _graph(pipeline: Pipeline) -> bytes:
    """The pipeline from ``row`` to ``score``: imputation and scaling in double, as scikit-learn does them."""
    imputer, scaler = pipeline["numbers"].named_transformers_["scaled"]
    trees = pipeline["trees"]
    fitted = FittedXGBoost(trees, trees.get_booster(), np.zeros(len(COLUMNS))).to_onnx("trees_", _SCALED)
    nodes = (
        helper.make_node("IsNaN", [ROW], ["missing"]),
        helper.make_node("Where", ["missing", "medians", ROW], ["filled"]),
        helper.make_node("Sub", ["filled", "means"], ["centred"]),
        helper.make_node("Div", ["centred", "scales"], [_SCALED]),
    )
    learned = {"medians": imputer.statistics_, "means": scaler.mean_, "scales": scaler.scale_}
    constants = tuple(constant(name, values) for name, values in learned.items())
    whole = Subgraph((*nodes, *fitted.nodes), (*constants, *fitted.constants), fitted.output)
    return assemble([Part(whole, 1.0)], Sigmoid(1.0, 0.0), len(COLUMNS))
