"""Small models written by hand as ONNX graphs, whose answers are known in closed form: good ones and bad ones.

They judge loans by six inputs, one of each type. ``draw`` gives packed rows as callers would send them, ``as_json`` the
same rows as JSON, ``expected_score`` what the good model answers. Two more say which of three products, and how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from drivetrain.core.model import (
    DecisionRule,
    Distribution,
    Environment,
    InputField,
    Interval,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.store.models import ModelContent

Numbers = NDArray[np.float64]
Value = str | float | int | bool | None
SIGNATURE = Signature(
    (
        InputField("age", ColumnType.INTEGER, False, low=18, high=99, typical=40),
        InputField("income-per-month", ColumnType.NUMBER, True, low=0, high=1e5, typical=3000),
        InputField("member", ColumnType.BOOLEAN, True, typical=1),
        InputField("city", ColumnType.TEXT, True, categories=("Aarau", "Bern", "Chur")),
        InputField("born", ColumnType.DATE, True, typical=315532800),
        InputField("seen", ColumnType.TIMESTAMP, True, typical=1.7e9),
    ),
    "case",
    "default",
)
WEIGHTS = (-0.05, -0.0005, -0.4, 0.3, 1e-10, 1e-10)
CLASSES = ("card", "loan", "account")
CLASS_WEIGHTS = ((0.05, 0.0, 0.0, 0.0, 0.0, 0.0), (-0.05, 0.0003, 0.0, 0.2, 0.0, 0.0), (0.0, 0.0, 0.3, 0.0, 0.0, 0.0))
NUMBER_WEIGHTS, NUMBER_BASE = (2.0, 0.1, 5.0, 0.0, 0.0, 0.0), 400.0
NUMBER_RULE = DecisionRule("limit", 450.0)
TYPICAL = tuple(field.typical for field in SIGNATURE.inputs)
INCOME = SIGNATURE.names.index("income-per-month")
NO_SCORE = 1e9
"""The income from which on the good model has no score: NaN."""
ROW = {
    "age": 25, "income-per-month": 1200.5, "member": False, "city": "Chur", "born": "1999-12-31",
    "seen": "2026-01-31T12:00:00Z",
}  # fmt: skip
_DAY = 86400.0
_LIMITS = tuple(NO_SCORE if at == INCOME else np.inf for at in range(len(TYPICAL)))
_FRONT = [
    helper.make_node("IsNaN", ["row"], ["missing"]),
    helper.make_node("Where", ["missing", "typical", "row"], ["filled"]),
    helper.make_node("Sub", ["filled", "typical"], ["moved"]),
    helper.make_node("Mul", ["filled", "over"], ["huge"]),
    helper.make_node("Mul", ["huge", "zero"], ["nothing"]),
    helper.make_node("Add", ["moved", "nothing"], ["limited"]),
]
"""From ``row`` to ``limited``: how far each value is from the typical one; NaN where it is beyond its limit."""


@dataclass(frozen=True)
class Delay:
    """``rounds`` of work (about a microsecond each) for a batch in which the income of a row is above ``above``."""

    rounds: int
    above: float


def logistic_model(
    weights: Sequence[float] = WEIGHTS, *, no_score: float = NO_SCORE, delay: Delay | None = None
) -> ModelContent:
    """The good model: ``expected_score`` of each row, NaN from the income ``no_score`` on."""
    limits = [no_score if at == INCOME else np.inf for at in range(len(TYPICAL))]
    return model_of(logistic_graph(weights, TYPICAL, limits, delay))


def classes_model(weights: Sequence[Sequence[float]] = CLASS_WEIGHTS, *, sure: float = 0.5) -> ModelContent:
    """A good model of three classes: ``expected_classes`` of each row, true from the probability ``sure`` on."""
    signature = replace(SIGNATURE, target="product", task=Task.CLASSES, classes=CLASSES)
    graph = _graph("classes", [*_FRONT, helper.make_node("MatMul", ["limited", "weights"], ["margins"]),
        helper.make_node("Softmax", ["margins"], ["score"], axis=1)], len(TYPICAL),
        _constants(TYPICAL, _LIMITS, np.transpose(weights)), ["n", len(CLASSES)])  # fmt: skip
    return replace(model_of(graph, signature), decision=DecisionRule("threshold", sure))


def number_model(rule: DecisionRule = NUMBER_RULE) -> ModelContent:
    """A good model of a number: ``expected_number`` of each row, in an interval from 10 below to 20 above it."""
    signature = replace(SIGNATURE, target="amount", task=Task.NUMBER)
    graph = _graph("number", [*_FRONT, helper.make_node("MatMul", ["limited", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "base"], ["score"])], len(TYPICAL),
        [*_constants(TYPICAL, _LIMITS, np.array(NUMBER_WEIGHTS)),
         helper.make_tensor("base", TensorProto.DOUBLE, [], [NUMBER_BASE])])  # fmt: skip
    interval = Interval(0.9, (0.0, 1000.0), (-10.0, -10.0), (20.0, 20.0))
    return replace(model_of(graph, signature), decision=rule, interval=interval)


def flipped() -> ModelContent:
    """A model that answers 1 - score: fast and well formed, and every decision is the other one."""
    return logistic_model([-weight for weight in WEIGHTS])


def slow(rounds: int, above: float = -np.inf) -> ModelContent:
    """The good model, ``rounds`` microseconds late where an income is above ``above``; 2**62 rounds never end."""
    return logistic_model(delay=Delay(rounds, above))


def without_scores(income: float = 5000.0) -> ModelContent:
    """The good model, but for that it has no score from that income on."""
    return logistic_model(no_score=income)


def expected_score(row: Sequence[float], weights: Sequence[float] = WEIGHTS) -> float:
    """What the good model answers for a packed row."""
    values = np.where(np.isnan(row), TYPICAL, row)
    return float(1 / (1 + np.exp(-((values - TYPICAL) @ np.array(weights)))))


def expected_classes(row: Sequence[float], weights: Sequence[Sequence[float]] = CLASS_WEIGHTS) -> Numbers:
    """What the good model of classes answers for a packed row: a probability for each of ``CLASSES``."""
    margins = np.exp(np.array(weights) @ (np.where(np.isnan(row), TYPICAL, row) - TYPICAL))
    return np.asarray(margins / margins.sum())


def expected_number(row: Sequence[float]) -> float:
    """What the good model of a number answers for a packed row."""
    return float(NUMBER_BASE + (np.where(np.isnan(row), TYPICAL, row) - TYPICAL) @ np.array(NUMBER_WEIGHTS))


def draw(count: int, seed: int = 0) -> Numbers:
    """Packed rows [count, 6], drawn as the reference of the models was; one value in twenty is missing."""
    generator = np.random.default_rng(seed)
    rows = np.column_stack(
        [
            generator.integers(18, 100, count),
            np.round(np.minimum(generator.lognormal(8, 0.6, count), 1e5), 2),
            generator.random(count) < 0.6,
            generator.choice(3, count, p=[0.5, 0.3, 0.2]),
            generator.integers(-7000, 13000, count) * _DAY,
            1.7e9 + generator.integers(0, 10**7, count),
        ]
    ).astype(np.float64)
    rows[:, 1:][generator.random((count, 5)) < 0.05] = np.nan
    return rows


def as_json(rows: Numbers) -> list[dict[str, Value]]:
    """Packed rows [n, 6] as callers send them; missing values are null."""
    return [
        {field.name: _value(field, number) for field, number in zip(SIGNATURE.inputs, row, strict=True)}
        for row in rows.tolist()
    ]


def model_of(graph: bytes, signature: Signature = SIGNATURE, rows: Numbers | None = None) -> ModelContent:
    """A whole model of a graph, with the reference that ``rows`` [n, F] give and a decision from 0.5 on."""
    rows = draw(2000) if rows is None else rows
    cuts = [
        code_cuts(len(field.categories)) if field.type is ColumnType.TEXT else cut_points(column)
        for field, column in zip(signature.inputs, rows.T, strict=True)
    ]
    spread = tuple(map(distribution, signature.names, rows.T, cuts))
    score = np.linspace(0.0, 1.0, len(rows))
    label = Distribution(signature.target, (0.5,), (1, 1), 0)
    return ModelContent(
        graph=graph,
        expected=np.full(1, 0.5),
        signature=signature,
        reference=Reference(len(rows), spread, distribution("score", score, cut_points(score)), label, 0.5),
        decision=DecisionRule("threshold", 0.5),
        training=TrainingSummary("roc_auc", 0, "5-fold", (), (), "the only one", "none"),
        environment=Environment("3.11.9", ()),
    )


def again(content: ModelContent, name: str = "again") -> ModelContent:
    """The same model made in another environment: another release with the same answers."""
    return replace(content, environment=Environment("3.11.9", (f"{name}==1",)))


def logistic_graph(
    weights: Sequence[float],
    typical: Sequence[float],
    limits: Sequence[float] | None = None,
    delay: Delay | None = None,
) -> bytes:
    """1 / (1 + exp(-(row - typical) . weights)), missing values taken as typical.

    ``limits`` [F], infinite without any: a row with a value that far from zero, or further, has no score (NaN).
    """
    width = len(weights)
    nodes = [
        *_FRONT,
        helper.make_node("MatMul", ["limited", "weights"], ["sum"]),
        *_delay(delay),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    numbers = _constants(typical, limits or [np.inf], np.array(weights))
    if delay is not None:
        numbers.append(helper.make_tensor("above", TensorProto.DOUBLE, [], [delay.above]))
        numbers.append(helper.make_tensor("rounds", TensorProto.INT64, [], [delay.rounds]))
        numbers.append(helper.make_tensor("income", TensorProto.INT64, [], [INCOME]))
    return _graph("logistic", nodes, width, numbers)


def _constants(typical: Sequence[float], limits: Sequence[float], weights: Numbers) -> list[onnx.TensorProto]:
    # a value at its limit times this is the first that overflows; infinity times zero is NaN
    over = [0.0 if np.isinf(limit) else np.finfo(np.float64).max / limit * (1 + 1e-9) for limit in limits]
    constants = {"typical": np.array(typical), "over": np.array(over), "weights": weights, "zero": np.array(0.0)}
    return [numpy_helper.from_array(each.astype(np.float64), name) for name, each in constants.items()]


def constant_graph(answer: float, width: int) -> bytes:
    """The same answer for every row of ``width`` numbers."""
    nodes = [
        helper.make_node("ReduceSum", ["row", "axes"], ["sum"], keepdims=0),
        helper.make_node("IsNaN", ["sum"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "sum"], ["filled"]),
        helper.make_node("Mul", ["filled", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "answer"], ["score"]),
    ]
    numbers = {"zero": 0.0, "answer": answer}
    tensors = [helper.make_tensor(name, TensorProto.DOUBLE, [], [value]) for name, value in numbers.items()]
    return _graph("constant", nodes, width, [helper.make_tensor("axes", TensorProto.INT64, [1], [1]), *tensors])


def _delay(delay: Delay | None) -> list[onnx.NodeProto]:
    """From ``sum`` to ``logit``, which is the same; on the way a loop turns, where there is a delay."""
    if delay is None:
        return [helper.make_node("Identity", ["sum"], ["logit"])]
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Cos", ["before"], ["after"]), helper.make_node("Identity", ["more"], ["go_on"])],
        "turn",
        [
            info("turn", TensorProto.INT64, []),
            info("more", TensorProto.BOOL, []),
            info("before", TensorProto.DOUBLE, []),
        ],
        [info("go_on", TensorProto.BOOL, []), info("after", TensorProto.DOUBLE, [])],
    )
    return [
        helper.make_node("Gather", ["filled", "income"], ["incomes"], axis=1),
        helper.make_node("Greater", ["incomes", "above"], ["late"]),
        helper.make_node("Cast", ["late"], ["counted"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["counted"], ["any"], keepdims=0),
        helper.make_node("Mul", ["any", "rounds"], ["turns"]),
        helper.make_node("Loop", ["turns", "", "zero"], ["turned"], body=body),
        helper.make_node("Mul", ["turned", "zero"], ["idle"]),
        helper.make_node("Add", ["sum", "idle"], ["logit"]),
    ]


def _graph(
    name: str,
    nodes: list[onnx.NodeProto],
    width: int,
    constants: list[onnx.TensorProto],
    shape: Sequence[str | int] = ("n",),
) -> bytes:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, ["n", width])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _value(field: InputField, number: float) -> Value:
    if np.isnan(number):
        return None
    if field.type is ColumnType.TEXT:
        return field.categories[int(number)] if number >= 0 else "elsewhere"
    if field.type is ColumnType.DATE:
        return datetime.fromtimestamp(number, UTC).date().isoformat()
    if field.type is ColumnType.TIMESTAMP:
        return datetime.fromtimestamp(number, UTC).isoformat()
    if field.type is ColumnType.NUMBER:
        return number
    return bool(number) if field.type is ColumnType.BOOLEAN else int(number)
