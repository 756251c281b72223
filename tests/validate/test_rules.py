"""Hard rules in the report: how often they speak and are right, what they cost, and that both sides say the same."""

from dataclasses import replace

import numpy as np
import pytest

from drivetrain.core.model import DecisionRule
from drivetrain.core.project import GatesSpec
from drivetrain.core.rules import RulesSpec
from drivetrain.ops.metrics import costs
from drivetrain.train.rules import rules_of
from drivetrain.validate.gates import planned
from drivetrain.validate.parity import parity
from drivetrain.validate.quality import cost
from drivetrain.validate.rules import rules

OLD = {"name": "old", "when": "age > 80", "decide": False, "because": "They pay."}
POOR = {"name": "poor", "when": "income < 1000 AND score > 0.1", "decide": True, "because": "They cannot."}
NORTH = {"name": "north", "when": "region = 'north' OR owner IS NULL", "decide": True, "because": "It snows."}


def ruled(world, *, before=(), after=(), change=lambda rule: rule, **more):
    """Evidence of the world's true model with these rules."""
    spec = RulesSpec.model_validate({"before": before, "after": after})

    def with_rules(content):
        found = tuple(change(rule) for rule in rules_of(spec, content.signature))
        named = replace(content.signature, rules=tuple(rule.name for rule in found))
        return replace(content, signature=named, rules=found, **more)

    return world.evidence(GatesSpec(), world.model(with_rules))


def test_a_model_without_rules_has_nothing_to_say(world):
    evidence = world.evidence(GatesSpec())
    assert "rules" in planned(evidence.spec)
    assert rules(evidence).results == ()


def test_the_table_counts_how_often_each_rule_speaks_and_is_right(world):
    evidence = ruled(world, before=[OLD], after=[POOR])
    finding = rules(evidence)
    (result,) = finding.results
    age, income = (evidence.test.inputs.column(name).to_numpy() for name in ("age", "income"))
    old = age > 80
    poor = ~old & (income < 1000) & (evidence.score > 0.1)
    assert [row[0] for row in finding.tables[0].rows] == ["old", "poor"]
    assert [row[3] for row in finding.tables[0].rows] == [old.sum(), poor.sum()]
    truth, alone = evidence.truth, evidence.score >= 0.25
    assert finding.tables[0].rows[0][4:6] == (f"{(~truth[old]).mean():.1%}", f"{(truth == alone)[old].mean():.1%}")
    assert finding.tables[0].rows[1][4] == f"{truth[poor].mean():.1%}"
    assert (result.verdict, result.measured.value) == ("pass", max(old.mean(), poor.mean()))


def test_a_rule_that_always_speaks_fails_by_its_name(world):
    always = {"name": "everybody", "when": "age >= 18", "decide": True, "because": "Nobody knows."}
    (result,) = rules(ruled(world, before=[always], after=[POOR])).results
    assert (result.verdict, result.measured.value) == ("fail", 1.0)
    assert "`everybody` speaks most often; rules decide 100.00% of the test rows; a decision costs " in result.detail


def test_the_cost_is_that_of_the_decisions_with_rules(world):
    evidence = ruled(world, before=[OLD], after=[POOR])
    decided = np.where(evidence.test.inputs.column("age").to_numpy() > 80, False, evidence.decision)
    assert (evidence.decision == decided).all()
    assert evidence.cost.tolist() == costs(evidence.truth, evidence.decision, 1.0, 3.0).tolist()
    spec = GatesSpec.model_validate({"cost": {"max": 9}})
    alone = costs(evidence.truth, evidence.score >= 0.25, 1.0, 3.0).mean()
    assert f"costs {evidence.cost.mean():.4g} with them, {alone:.4g} without" in rules(evidence).results[0].detail
    (result,) = cost(replace(evidence, spec=spec)).results
    assert result.measured.value == pytest.approx(evidence.cost.mean())
    assert result.measured.value != pytest.approx(alone)


def test_rules_speak_online_as_their_sql_does(world):
    evidence = ruled(world, before=[OLD, NORTH], after=[POOR])
    (result,) = parity(evidence).results
    assert (result.verdict, result.detail.split("; ")[-1]) == ("pass", "every rule, row by row, speaks as its SQL does")


def test_a_rule_whose_steps_are_not_its_sql_is_named_with_the_row(world):
    def spoil(rule):
        return replace(rule, when="age > 79") if rule.name == "old" else rule

    evidence = ruled(world, before=[OLD], after=[POOR], change=spoil)
    (result,) = parity(evidence).results
    first = int(np.flatnonzero(evidence.test.inputs.column("age").to_numpy() == 80)[0])
    assert result.verdict == "fail"
    assert f"of loan {evidence.test.entity[first]} " in result.detail
    assert "by the SQL `old`" in result.detail


def test_of_classes_what_is_said_is_priced_and_not_what_the_model_alone_would_say(carriers):
    heavy = {"name": "heavy", "when": "weight > 12", "decide": "lorry", "because": "A bike cannot."}
    doubt = {"name": "doubt", "when": "class = 'air' AND zone = 'rural'", "decide": False, "because": "A person looks."}
    price = DecisionRule("hand_over", 0.6, 10.0, 1.0)
    evidence = ruled(carriers, before=[heavy], after=[doubt], decision=price)
    weight = evidence.test.inputs.column("weight").to_numpy()
    lorry = evidence.classes.index("lorry")
    assert (evidence.said.outputs[weight > 12, 0] == lorry).all()
    wrong = evidence.decision & (evidence.said.outputs[:, 0] != evidence.truth)
    assert evidence.cost.sum() == 10 * wrong.sum() + (~evidence.decision).sum()
    assert {row[0]: row[2] for row in rules(evidence).tables[0].rows} == {"heavy": "lorry", "doubt": "no"}
    assert parity(evidence).results[0].verdict == "pass"


def test_of_numbers_a_rule_is_right_where_the_truth_is_beyond_the_limit(days):
    far = {"name": "far", "when": "high - low > 2 AND zone <> 'city'", "decide": True, "because": "Far is late."}
    evidence = ruled(days, after=[far])
    (row,) = rules(evidence).tables[0].rows
    its = evidence.said.outputs[:, -1] == 1
    assert (row[3], row[4]) == (its.sum(), f"{(evidence.truth[its] >= 8.0).mean():.1%}")
    nothing = ruled(days, after=[far], decision=DecisionRule("none", -1e300))
    assert rules(nothing).tables[0].rows[0][4:6] == ("n/a", "n/a")
    assert parity(evidence).results[0].verdict == "pass"
