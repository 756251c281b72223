from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import InputField
from drivetrain.core.project import GatesSpec, RobustnessGate
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.metrics import roc_auc
from drivetrain.validate.robustness import faults_of, hostile, robustness, sound

VALUES = np.array([1.0, 2.0, 0.0])


def _changed(field: InputField, name: str) -> list[float]:
    (fault,) = [fault for fault in faults_of(field, 0, 10.0) if name in fault.name]
    return fault.change(VALUES, np.random.default_rng(0)).tolist()


def test_faults_are_those_that_a_service_would_take():
    number = InputField("x", ColumnType.NUMBER, nullable=False, low=0.0, high=5.0)
    assert not any("missing" in fault.name for fault in faults_of(number, 0, 1.0))
    assert _changed(number, "too much") == [1000.0, 2000.0, 0.0]
    assert _changed(number, "too little") == [0.001, 0.002, 0.0]
    assert _changed(number, "far above") == [10.0] * 3
    assert _changed(number, "far below") == [-5.0] * 3
    assert 0 < np.abs(np.array(_changed(number, "noise")) - VALUES).max() < 10


def test_faults_keep_to_the_type():
    whole = InputField("n", ColumnType.INTEGER, nullable=True)
    assert _changed(whole, "too little") == [0.0, 0.0, 0.0]
    assert all(value % 1 == 0 for value in _changed(whole, "noise"))
    assert np.isnan(_changed(whole, "missing")).all()
    text = InputField("t", ColumnType.TEXT, nullable=False, categories=("a", "b", "c"))
    assert _changed(text, "not seen") == [-1.0] * 3
    assert sorted(_changed(text, "another row")) == [0.0, 1.0, 2.0]
    assert _changed(InputField("b", ColumnType.BOOLEAN, nullable=False), "opposite") == [0.0, -1.0, 1.0]


def test_the_worst_fault_is_named_and_measured_on_the_same_rows(world):
    evidence = world.evidence(GatesSpec(robustness=RobustnessGate(max_drop=0.001)))
    finding = robustness(evidence)
    (result,) = finding.results
    assert result.verdict == "fail"
    assert "income" in result.detail
    worst = finding.tables[0].rows[0]
    assert worst[2] == pytest.approx(result.measured.value)
    struck = np.random.default_rng(0).random(1_600) < 0.2
    packed = evidence.packed.copy()
    packed[struck, 0] = 2 * 0.0 - 20_000.0
    fallen = roc_auc(evidence.truth, evidence.score) - roc_auc(evidence.truth, evidence.scorer.score(packed))
    assert result.measured.value == pytest.approx(fallen)


def test_a_generous_limit_passes(world):
    evidence = world.evidence(GatesSpec(robustness=RobustnessGate(max_drop=0.4)))
    assert robustness(evidence).results[0].verdict == "pass"


def _fragile(world, make_graph, *nodes):
    """The true model, plus nothing (0 * x) that is no number where ``nodes`` make x infinite or undefined."""
    extra = (
        *nodes,
        helper.make_node("ReduceSum", ["x", "axis"], ["total"], keepdims=1),
        helper.make_node("Mul", ["total", "zero"], ["nothing"]),
        helper.make_node("Add", ["plain", "nothing"], ["logit"]),
    )
    return world.model(lambda content: replace(content, graph=make_graph(extra=extra)))


def test_a_model_that_breaks_on_huge_numbers_fails_and_says_on_which(world, make_graph):
    fragile = _fragile(world, make_graph, helper.make_node("Mul", ["filled", "filled"], ["x"]))
    evidence = world.evidence(GatesSpec(robustness=RobustnessGate(max_drop=0.4)), fragile)
    assert hostile(evidence) == ["income is 1e+300", "income is -1e+300"]
    (result,) = robustness(evidence).results
    assert result.verdict == "fail"
    assert "not a probability when income is 1e+300" in result.detail


def test_a_fault_that_breaks_a_score_is_named(world, make_graph):
    shifted = helper.make_node("Add", ["filled", "ten"], ["shifted"])
    fragile = _fragile(world, make_graph, shifted, helper.make_node("Sqrt", ["shifted"], ["x"]))
    with pytest.raises(InvalidInput, match="not a probability when income is far below its range"):
        robustness(world.evidence(GatesSpec(), fragile))


@pytest.mark.parametrize(
    ("task", "answer", "fine"),
    [
        (Task.YES_NO, [0.0, 1.0], True),
        (Task.YES_NO, [0.5, 1.1], False),
        (Task.CLASSES, [[0.2, 0.8], [1.0, 0.0]], True),
        (Task.CLASSES, [[0.2, 0.7], [1.0, 0.0]], False),
        (Task.CLASSES, [[1.2, -0.2], [1.0, 0.0]], False),
        (Task.NUMBER, [-3.0, 1e9], True),
        (Task.NUMBER, [0.0, np.inf], False),
    ],
)
def test_an_answer_is_what_the_task_promises(task, answer, fine):
    assert sound(task, np.array(answer)) is fine


def test_the_worst_fault_of_a_number_is_measured_in_its_unit(days):
    (result,) = robustness(days.evidence(GatesSpec(robustness=RobustnessGate(metric="mae", max_drop=100)))).results
    assert result.verdict == "pass"
    assert result.measured.name == "mae drop"
    assert result.threshold == "at most 100; every score a finite number"


def test_of_numbers_any_fall_is_shown_and_only_what_is_no_number_fails(days, world):
    finding = robustness(days.evidence(GatesSpec()))
    (result,) = finding.results
    assert (result.verdict, result.threshold) == ("pass", "every score a finite number")
    assert result.measured.value > 1, "one input a thousand times too large costs more than the whole R2"
    assert robustness(world.evidence(GatesSpec())).results[0].threshold == "at most 0.05; every score a probability"
