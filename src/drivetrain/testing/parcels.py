"""A small world of parcels whose truth is known: who carries one is one of three classes, how long it takes a number.

2,000 parcels have a carrier drawn from a softmax of three inputs, and days with noise that grows with the distance; two
in five are the test part. The models are made by hand and know the truth.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import (
    CandidateScore,
    DecisionRule,
    Environment,
    InputField,
    Interval,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import METRICS, Task
from drivetrain.ops.conformal import fit_interval
from drivetrain.ops.drift import code_cuts, cut_points, distribution, label_cuts
from drivetrain.ops.links import Softmax
from drivetrain.store.cases import SPLIT
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import ModelContent
from drivetrain.testing.borrowers import World, enter_features

Numbers = NDArray[np.float64]
ROWS = 2_000
CARRIERS = ("bike", "lorry", "air")
ZONES = ("city", "town", "rural")
INPUTS = (
    InputField("weight", ColumnType.NUMBER, nullable=True, low=0.0, high=50.0, typical=8.0),
    InputField("distance", ColumnType.NUMBER, nullable=False, low=0.0, high=3_000.0, typical=400.0),
    InputField("zone", ColumnType.TEXT, nullable=False, categories=ZONES),
)
CENTER, SCALE = np.array([8.0, 400.0, 1.0]), np.array([6.0, 300.0, 1.0])
TO_CARRIERS = np.array([[0.0, 2.5, 0.5], [0.0, 0.5, 3.0], [0.0, 0.6, 0.2]])
BIAS = np.array([1.0, 0.0, -0.5])
TO_DAYS = np.array([[0.1], [3.0], [0.5]])
DAYS = 5.0


def parcel_world(catalog: Catalog, task: Task, table: pa.Table | None = None) -> World:
    """The world in which that is asked of a parcel; of ``yes_no`` there is none."""
    label = "carrier" if task is Task.CLASSES else "days"
    kept = ["parcel", label, SPLIT, *(field.name for field in INPUTS)]
    features = enter_features(
        catalog, (parcels() if table is None else table).select(kept), "parcels", task, ("parcel", label)
    )
    classes = features.classes if task is Task.CLASSES else ()
    signature = Signature(INPUTS, "parcel", label, task, classes)
    return World(catalog, features, lambda test, train: content_of(signature, test, train), signature)


def parcels(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Parcels with both labels."""
    draw = np.random.default_rng(seed)
    weight = np.where(draw.random(rows) < 0.05, np.nan, np.clip(draw.gamma(2, 4, rows), 0, 50))
    distance, zone = np.clip(draw.gamma(2, 200, rows), 0, 3_000), draw.integers(0, 3, rows)
    packed = np.column_stack([weight, distance, zone])
    share = answers(packed, Task.CLASSES)
    carrier = (share.cumsum(axis=1) < draw.random(rows)[:, None]).sum(axis=1)
    days = answers(packed, Task.NUMBER) + draw.normal(0, 1, rows) * (0.3 + distance / 1_000)
    return pa.table(
        {
            "parcel": pa.array([f"parcel-{number:05}" for number in range(rows)]),
            "carrier": pa.array([CARRIERS[code] for code in carrier]),
            "days": pa.array(days),
            SPLIT: pa.array(["test" if number % 5 < 2 else "train" for number in range(rows)]),
            "weight": pa.array(weight, from_pandas=True),
            "distance": pa.array(distance),
            "zone": pa.array([ZONES[code] for code in zone]),
        }
    )


def answers(packed: Numbers, task: Task, classes: tuple[str, ...] = CARRIERS, slope: float = 1.0) -> Numbers:
    """What the true model answers, in NumPy; with another ``slope`` it is more or less sure than it may be."""
    centered = np.where(np.isnan(packed), 0.0, (packed - CENTER) / SCALE)
    margin = np.clip(centered, -20, 20) @ _weights(task, classes) + _bias(task, classes)
    return Softmax(slope).apply(margin) if task is Task.CLASSES else np.asarray(margin[:, 0])


def parcel_graph(task: Task, classes: tuple[str, ...] = CARRIERS, slope: float = 1.0) -> bytes:
    """The same in ONNX."""
    values = {
        "center": CENTER, "scale": SCALE, "zero": np.array(0.0), "low": np.array(-20.0), "high": np.array(20.0),
        "weights": slope * _weights(task, classes), "bias": slope * _bias(task, classes), "flat": np.array([-1]),
    }  # fmt: skip
    last = (
        helper.make_node("Softmax", ["margin"], ["score"], axis=1)
        if task is Task.CLASSES
        else helper.make_node("Reshape", ["margin", "flat"], ["score"])
    )
    nodes = [
        helper.make_node("IsNaN", ["row"], ["missing"]),
        helper.make_node("Sub", ["row", "center"], ["moved"]),
        helper.make_node("Div", ["moved", "scale"], ["scaled"]),
        helper.make_node("Where", ["missing", "zero", "scaled"], ["filled"]),
        helper.make_node("Clip", ["filled", "low", "high"], ["clipped"]),
        helper.make_node("MatMul", ["clipped", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["margin"]),
        last,
    ]
    sides = [None, len(classes)] if task is Task.CLASSES else [None]
    graph = helper.make_graph(
        nodes, "parcels",
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, [None, len(INPUTS)])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, sides)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def content_of(signature: Signature, test: Numbers, train: Numbers) -> ModelContent:
    """The content of the true model's folder."""
    task, classes = signature.task, signature.classes
    answer, chance = answers(train, task, classes), np.random.default_rng(1)
    truth = answer + chance.normal(0, 1, len(train)) * (0.3 + train[:, 1] / 1_000) if task is Task.NUMBER else None
    spreads = tuple(
        distribution(one.name, train[:, at], code_cuts(len(one.categories)) or cut_points(train[:, at]))
        for at, one in enumerate(INPUTS)
    )
    score = answer if answer.ndim == 1 else answer.max(axis=1)
    label = answer if answer.ndim == 1 else answer.argmax(axis=1).astype(np.float64)
    metric = METRICS[task][0]
    estimate = Estimate(metric, 0.8, 0.79, 0.81, len(train))
    return ModelContent(
        graph=parcel_graph(task, classes),
        expected=answers(test, task, classes),
        signature=signature,
        reference=Reference(
            len(train), spreads, distribution("score", score, cut_points(score)),
            distribution(signature.target, label, label_cuts(task, len(classes), label)), float(label.mean()),
        ),
        decision=DecisionRule("limit", 8.0) if truth is not None else DecisionRule("rejection", 0.6, capacity=0.1),
        training=TrainingSummary(
            metric=metric, seed=0, protocol="5-fold cross-validation", why="It is the truth.", calibration="none",
            candidates=(CandidateScore("by hand", estimate, "{}", 1, True),), blend=(),
        ),
        environment=Environment("3.11", ("numpy==2.4",)),
        interval=_interval(truth, answer),
    )  # fmt: skip


def _interval(truth: Numbers | None, answer: Numbers) -> Interval | None:
    return None if truth is None else fit_interval(truth, answer, 0.9)


def _weights(task: Task, classes: tuple[str, ...]) -> Numbers:
    return TO_CARRIERS[:, [CARRIERS.index(name) for name in classes]] if task is Task.CLASSES else TO_DAYS


def _bias(task: Task, classes: tuple[str, ...]) -> Numbers:
    return BIAS[[CARRIERS.index(name) for name in classes]] if task is Task.CLASSES else np.array([DAYS])
