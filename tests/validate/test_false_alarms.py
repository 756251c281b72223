"""False alarms are judged without labels, and so is a model that saw none; labels judge where there are any."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.alarms import FalseAlarmGate
from drivetrain.core.model import DecisionRule
from drivetrain.core.project import Bound, GatesSpec
from drivetrain.validate.false_alarms import false_alarms
from drivetrain.validate.gates import planned, run_gates
from drivetrain.validate.performance import headline, performance

ASKED = GatesSpec(false_alarms=FalseAlarmGate(max=0.5, worst_tenth=0.9))


@pytest.fixture
def blind(own_world, loans):
    """The world of the borrowers as somebody sees it who knows the outcome of this share of the loans."""

    def make(share):
        known = np.random.default_rng(0).random(len(loans)) < share
        late = [value if told else None for value, told in zip(loans["late"].to_pylist(), known, strict=True)]
        world = own_world(loans)
        table = loans.set_column(loans.column_names.index("late"), "late", pa.array(late, pa.bool_()))
        world.features = replace(own_world(table).features, blind=True)
        return world

    return make


def _flagging(world, share):
    """A model that flags this share of the test rows."""
    return world.model(
        lambda content: replace(
            content, decision=DecisionRule("capacity", float(np.quantile(content.expected, 1 - share)), capacity=share)
        )
    )


def test_flags_are_counted_among_rows_not_known_to_be_true(world):
    evidence = world.evidence(ASKED, _flagging(world, 0.1))
    rate, worst = false_alarms(evidence).results
    usual = ~evidence.truth
    assert rate.measured.value == pytest.approx(evidence.decision[usual].mean())
    assert (rate.measured.rows, rate.verdict) == (int(usual.sum()), "pass")
    assert worst.gate == "false_alarms:worst_tenth"
    assert worst.measured.value > rate.measured.value


def test_too_many_flags_fail(world):
    strict = GatesSpec(false_alarms=FalseAlarmGate(max=0.05))
    (result,) = false_alarms(world.evidence(strict, _flagging(world, 0.3))).results
    assert (result.verdict, result.threshold) == ("fail", "at most 0.05")


def test_without_any_label_only_gates_that_need_none_run(blind):
    world = blind(0.0)
    evidence = world.evidence(ASKED, _flagging(world, 0.1))
    verdicts = {gate: {result.verdict for result in finding.results} for gate, finding in run_gates(evidence)}
    assert list(verdicts) == ["safety", "parity", "false_alarms", "latency"]
    assert {gate: verdict for gate, verdict in verdicts.items() if gate != "latency"} == {
        "safety": {"pass"}, "parity": {"pass"}, "false_alarms": {"pass"},
    }  # fmt: skip
    assert [metric.name for metric in headline(evidence)] == ["flagged"]
    assert len(performance(evidence).charts) == 1


def test_the_labels_that_are_there_judge(blind):
    world = blind(0.5)
    spec = GatesSpec(false_alarms=FalseAlarmGate(max=0.5), roc_auc=Bound(min=0.7))
    evidence = world.evidence(spec, _flagging(world, 0.1))
    (result,) = dict(run_gates(evidence))["roc_auc"].results
    assert result.verdict == "pass"
    assert math.isclose(result.measured.rows, len(evidence.test) / 2, rel_tol=0.1)
    assert [metric.name for metric in headline(evidence)] == ["roc_auc", "average_precision", "flagged"]
    assert len(performance(evidence).charts) == 3


def test_a_gate_that_labels_decide_fails_without_any(blind):
    world = blind(0.0)
    spec = GatesSpec(false_alarms=FalseAlarmGate(max=0.5), roc_auc=Bound(min=0.7))
    (result,) = dict(run_gates(world.evidence(spec, _flagging(world, 0.1))))["roc_auc"].results
    assert (result.verdict, result.threshold) == ("fail", "must run")


def test_who_sees_labels_is_asked_what_labels_judge():
    assert "baseline" in planned(ASKED)
    assert "baseline" not in planned(ASKED, blind=True)
    assert "slices" in planned(ASKED.model_copy(update={"slices": ASKED.slices}), blind=False)
