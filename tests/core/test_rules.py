"""The section ``model.rules``: names, decisions, and what fits which task."""

import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.parse import parse_project
from drivetrain.core.rules import RulesSpec

PROJECT = """
project: loans
sources: {{loans: {{kind: files, path: loans.csv, contract: {{columns: {{id: {{type: integer}}}}}}}}}}
features: {{spine: cases.sql, entity: id, label: y, task: {task}, tables: {{}}}}
model:
  rules:
    before: [{{name: too_young, when: age < 18, decide: {decide}, because: The law forbids it.}}]
"""


def rule(name, decide=True):
    return {"name": name, "when": "age < 18", "decide": decide, "because": "The law forbids it."}


@pytest.mark.parametrize(("written", "decide"), [("yes", True), ("no", False), ("'yes'", True), ("'no'", False)])
def test_yes_and_no_are_what_they_say_however_they_are_quoted(written, decide):
    spec = parse_project(PROJECT.format(task="yes_no", decide=written))
    assert [rule.decide for rule in spec.model.rules.every] == [decide]


def test_of_classes_a_rule_may_name_one():
    spec = parse_project(PROJECT.format(task="classes", decide="refusals"))
    assert spec.model.rules.before[0].decide == "refusals"


@pytest.mark.parametrize("task", ["yes_no", "number"])
def test_other_tasks_know_yes_and_no_only(task):
    with pytest.raises(InvalidInput, match=f"too_young decides 'refusals'; of `{task}` it is `yes` or `no`"):
        parse_project(PROJECT.format(task=task, decide="refusals"))


def test_names_are_what_answers_say():
    with pytest.raises(ValueError, match="two rules are named `one`"):
        RulesSpec.model_validate({"before": [rule("one")], "after": [rule("two"), rule("one")]})
    with pytest.raises(ValueError, match="`none` is what an answer says where no rule spoke"):
        RulesSpec.model_validate({"after": [rule("none")]})


def test_rules_are_asked_in_their_order():
    spec = RulesSpec.model_validate({"after": [rule("c")], "before": [rule("a"), rule("b")]})
    assert [one.name for one in spec.every] == ["a", "b", "c"]
