"""A small world of borrowers whose truth is known, to try gates in: features in Delta, logistic models made by hand.

4,000 loans have outcomes drawn from a logistic model of five inputs, one of each type; two in five are the test part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from drivetrain.core.artifacts import Estimate, Features, Model, SplitPart
from drivetrain.core.digest import digest_of
from drivetrain.core.model import (
    CandidateScore,
    DecisionRule,
    Distribution,
    Environment,
    InputField,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.project import GatesSpec
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.ops.packing import pack
from drivetrain.store.cases import SPLIT, Part, read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_folder
from drivetrain.store.labels import classes_of
from drivetrain.store.models import ModelContent
from drivetrain.store.tables import Commit, Table, schema_of
from drivetrain.validate.evidence import Evidence

Numbers = NDArray[np.float64]
REGIONS = ("north", "east", "south")
SIGNATURE = Signature(
    inputs=(
        InputField("income", ColumnType.NUMBER, nullable=True, low=0.0, high=20_000.0, typical=3_000.0),
        InputField("age", ColumnType.INTEGER, nullable=False, low=18.0, high=90.0, typical=45.0),
        InputField("region", ColumnType.TEXT, nullable=True, categories=REGIONS),
        InputField("owner", ColumnType.BOOLEAN, nullable=True),
        InputField("since", ColumnType.TIMESTAMP, nullable=True, low=1.0e9, high=1.3e9, typical=1.1e9),
    ),
    entity="loan",
    target="late",
)
WEIGHTS = (-1.6, -0.5, 0.3, -0.4, 0.2)
CENTER = (3_000.0, 45.0, 1.0, 0.5, 1.15e9)
SCALE = (1_500.0, 15.0, 1.0, 1.0, 1e8)
ROWS = 4_000
PARTS: tuple[Part, ...] = ("train", "test")


def probability(packed: Numbers, weights: tuple[float, ...] = WEIGHTS, bias: float = -1.2) -> Numbers:
    """What the model answers, in NumPy."""
    centered = np.where(np.isnan(packed), 0.0, (packed - CENTER) / SCALE)
    return np.asarray(1 / (1 + np.exp(-(np.clip(centered, -20, 20) @ np.array(weights) + bias))))


def graph_of(weights: tuple[float, ...] = WEIGHTS, bias: float = -1.2, extra: tuple[onnx.NodeProto, ...] = ()) -> bytes:
    """The same in ONNX. ``extra`` nodes make ``logit`` [n, 1] of ``plain`` [n, 1] and of ``filled`` [n, F]."""
    constants = {
        "center": np.array([CENTER]), "scale": np.array([SCALE]), "zero": np.array(0.0), "bias": np.array(bias),
        "weights": np.array(weights).reshape(-1, 1), "flat": np.array([-1]), "low": np.array(-20.0),
        "high": np.array(20.0), "ten": np.array(10.0), "axis": np.array([1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("IsNaN", ["row"], ["missing"]),
        helper.make_node("Sub", ["row", "center"], ["moved"]),
        helper.make_node("Div", ["moved", "scale"], ["scaled"]),
        helper.make_node("Where", ["missing", "zero", "scaled"], ["filled"]),
        helper.make_node("Clip", ["filled", "low", "high"], ["clipped"]),
        helper.make_node("MatMul", ["clipped", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["plain"]),
        *(extra or [helper.make_node("Identity", ["plain"], ["logit"])]),
        helper.make_node("Sigmoid", ["logit"], ["column"]),
        helper.make_node("Reshape", ["column", "flat"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "logistic",
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, [None, len(weights)])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def content_of(test: Numbers, train: Numbers) -> ModelContent:
    """The content of the true model's folder."""
    score = probability(train)
    cuts = [
        code_cuts(3) if one.type is ColumnType.TEXT else cut_points(train[:, at])
        for at, one in enumerate(SIGNATURE.inputs)
    ]
    spreads = tuple(distribution(one.name, train[:, at], cuts[at]) for at, one in enumerate(SIGNATURE.inputs))
    estimate = Estimate("roc_auc", 0.8, 0.79, 0.81, len(train))
    label = Distribution(SIGNATURE.target, (0.5,), (73, 27), 0)
    return ModelContent(
        graph=graph_of(),
        expected=probability(test),
        signature=SIGNATURE,
        reference=Reference(len(train), spreads, distribution("score", score, cut_points(score)), label, 0.27),
        decision=DecisionRule("cost", 0.25, false_positive=1.0, false_negative=3.0),
        training=TrainingSummary(
            metric="roc_auc", seed=0, protocol="5-fold cross-validation", why="It is the truth.", calibration="none",
            candidates=(CandidateScore("logistic", estimate, "{}", 1, True),), blend=(),
        ),
        environment=Environment("3.11", ("numpy==2.4",)),
    )  # fmt: skip


@dataclass
class World:
    """A catalog with one version of the features, and a maker of models."""

    catalog: Catalog
    features: Features
    content: Callable[[Numbers, Numbers], ModelContent] = content_of
    signature: Signature = SIGNATURE
    made: int = field(default=0)

    def model(self, change: Callable[[ModelContent], ModelContent] = lambda content: content) -> Model:
        """The true model, or what ``change`` makes of its content."""
        return self.keep(change(self.content(self.packed("test"), self.packed("train"))).files())

    def keep(self, files: dict[str, bytes]) -> Model:
        """A model of these files."""
        self.made += 1
        model = Model(
            self.features.name, digest_of(files, self.made), "logistic", Estimate("roc_auc", 0.8, 0.7, 0.9, 1), (), ()
        )
        digests = write_folder(self.catalog.folder(model.ref), files)
        model = replace(model, files=digests, parents=(self.features.ref,))
        self.catalog.put(model)
        return model

    def wrong_model(self, weights: tuple[float, ...], bias: float = -1.2) -> Model:
        """A model with these weights, honest about what it answers."""
        answers = probability(self.packed("test"), weights, bias)
        return self.model(lambda content: replace(content, graph=graph_of(weights, bias), expected=answers))

    def packed(self, part: Part) -> Numbers:
        """The packed rows of a part."""
        return pack(self.signature, read_cases(self.catalog, self.features, part).inputs)

    def evidence(self, spec: GatesSpec, model: Model | None = None, champion: Model | None = None) -> Evidence:
        """What the gates of ``spec`` judge by."""
        return Evidence(spec, model or self.model(), self.features, champion, self.catalog)


def borrowers(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Loans with their outcome, drawn from the true model."""
    draw = np.random.default_rng(seed)
    income = np.where(draw.random(rows) < 0.1, np.nan, np.clip(draw.gamma(4, 800, rows), 0, 20_000))
    age = draw.integers(18, 91, rows)
    region = draw.integers(-1, 3, rows)
    owner = draw.random(rows) < 0.5
    since = 1.0e9 + draw.random(rows) * 3e8
    packed = np.column_stack([income, age, np.where(region < 0, np.nan, region), owner, np.floor(since)])
    late = draw.random(rows) < probability(packed)
    first = datetime(1970, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "loan": pa.array([f"loan-{number:05}" for number in range(rows)]),
            "late": pa.array(late),
            SPLIT: pa.array(["test" if number % 5 < 2 else "train" for number in range(rows)]),
            "income": pa.array(income, from_pandas=True),
            "age": pa.array(age),
            "region": pa.array([None if code < 0 else REGIONS[code] for code in region], pa.string()),
            "owner": pa.array(owner),
            "since": pa.array([first + timedelta(seconds=int(second)) for second in since], pa.timestamp("us", "UTC")),
        }
    )


def enter_features(
    catalog: Catalog,
    table: pa.Table,
    name: str = "risk",
    task: Task = Task.YES_NO,
    columns: tuple[str, str] = ("loan", "late"),
) -> Features:
    """Write the table to the lake and its artefact to the catalog. ``columns`` are entity and label."""
    version = Table(catalog.table_path("features", name)).overwrite(table, Commit("", digest_of(table.num_rows), 0))
    label, split = table.column(columns[1]), np.array(table[SPLIT])
    true = (
        {part: int(np.array(label)[split == part].astype(np.bool_).sum()) for part in PARTS}
        if task is Task.YES_NO
        else {}
    )
    parts = tuple(SplitPart(part, int((split == part).sum()), true.get(part)) for part in PARTS)
    features = Features(
        name=name, version=version, digest=digest_of(version), entity=columns[0], label=columns[1], time=None,
        inputs=schema_of(table.drop_columns([*columns, SPLIT]).schema), parts=parts, sql=(), parents=(), task=task,
        classes=classes_of(label.filter(pa.array(split == "train"))) if task is Task.CLASSES else (),
    )  # fmt: skip
    catalog.put(features)
    return features
