"""The project file's mistakes are named by line and column, with the next step."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.parse import json_schema, parse_project
from drivetrain.core.task import Task

GOOD = """\
project: credit
sources:
  loans: {kind: files, path: data/*.csv}
features:
  spine: cases.sql
  entity: id
  label: late
  tables: {borrower: {sql: borrower.sql}}
"""


def refusal(text):
    with pytest.raises(InvalidInput) as caught:
        parse_project(text, "p.yaml")
    return str(caught.value)


def test_small_project_gets_defaults():
    spec = parse_project(GOOD)
    assert spec.service_name == "credit"
    assert spec.features.split.by == "stratum"
    assert spec.features.task is Task.YES_NO


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("model: {budgt: {trials: 3}}", "p.yaml:9:9", "unknown key 'model.budgt'; did you mean 'budget'?"),
        ("modell: {}", "p.yaml:9:1", "did you mean 'model'?"),
        ("model: {seed: many}", "p.yaml:9:15", "model.seed"),
        ("model: {budget: {}}", "p.yaml:9:17", "a budget needs"),
        ("model: {decision: {kind: cost, false_positive: -1, false_negative: 2}}", "p.yaml:9:48", "greater than 0"),
        ("gates: {roc_auc: {}}", "p.yaml:9:18", "a bound needs"),
        ("service: {port: 99999}", "p.yaml:9:17", "service.port"),
    ],
)
def test_mistake_is_named_with_its_place(line, place, words):
    message = refusal(GOOD + line + "\n")
    assert place in message
    assert words in message
    assert "->" in message


def test_all_mistakes_are_told_at_once():
    message = refusal("project: 1x\nsources: {}\n")
    assert "p.yaml:1:10: project" in message
    assert "sources" in message
    assert "features: field required" in message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "yaml_empty"),
        ("just words", "project_not_a_mapping"),
        ("- a\n- b", "project_not_a_mapping"),
        ("a: [", "yaml_invalid"),
        ("a: 1\na: 2", "key_twice"),
        ("&a [*a]", "yaml_too_deep"),
        ("a: " + "[" * 60 + "]" * 60, "yaml_too_deep"),
        ("a: \x00", "yaml_invalid"),
        ("a: 2020-99-99", "yaml_invalid"),
        ("a: !!python/object:os.system {}", "yaml_invalid"),
        ("? [a]\n: b", "yaml_invalid"),
    ],
)
def test_what_is_not_a_project_is_refused(text, code):
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert caught.value.code == code


@given(st.text(max_size=300))
def test_any_text_parses_or_is_refused(text):
    with suppress(InvalidInput):
        parse_project(text)


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_any_slip_of_one_character_parses_or_is_refused(position, character):
    text = GOOD[:position] + character + GOOD[position + 1 :]
    with suppress(InvalidInput):
        parse_project(text)


def test_schema_knows_every_section():
    properties = json_schema()["properties"]
    assert isinstance(properties, dict)
    assert {"sources", "features", "model", "gates", "service", "monitor"} <= set(properties)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model: {metric: rmse}", "`model.metric`: rmse does not measure `yes_no`; choose one of roc_auc"),
        ("gates: {macro_f1: {min: 0.5}}", "`gates.macro_f1` does not belong to the task `yes_no`"),
        ("gates: {slices: {metric: r2}}", "`gates.slices.metric`: r2 does not measure"),
        ("model: {decision: {kind: rejection, share: 0.1}}", "rejection does not belong to the task `yes_no`"),
        ("model: {decision: {kind: hand_over, wrong: 1, person: 2}}", "no row would ever go to a person"),
    ],
)
def test_what_belongs_to_another_task_is_told(line, words):
    assert words in refusal(GOOD + line + "\n")


BLIND = """\
  label: late
  blind: true
  split: {by: chance}
model: {decision: {kind: capacity, share: 0.02}}
gates: {false_alarms: {max: 0.05}}
"""


@pytest.mark.parametrize(
    ("told", "instead", "words"),
    [
        ("  split: {by: chance}\n", "", "by stratum looks at labels"),
        ("gates: {false_alarms: {max: 0.05}}\n", "", "`gates.false_alarms` is needed"),
        ("{kind: capacity, share: 0.02}", "{kind: cost, false_positive: 1, false_negative: 5}", "must be a share"),
        ("{max: 0.05}}", "{max: 0.05}, calibration: {max: 0.1}}", "the score is no probability"),
        ("blind: true", "blind: true\n  task: number", "does not belong to the task `number`"),
    ],
)
def test_what_cannot_be_had_without_labels_is_told(told, instead, words):
    blind = GOOD.replace("  label: late\n", BLIND[: BLIND.index("model:")]) + BLIND[BLIND.index("model:") :]
    assert parse_project(blind).features.blind
    assert words in refusal(blind.replace(told, instead))


def test_other_tasks_take_what_is_theirs():
    classes = GOOD.replace("  label: late", "  label: late\n  task: classes")
    spec = parse_project(classes + "model: {metric: macro_f1, decision: {kind: hand_over, wrong: 5, person: 1}}\n")
    assert spec.model.metric == "macro_f1"
    odds = "gates: {fairness: [{column: age, measure: equalized_odds}]}\n"
    assert "of classes no case is false" in refusal(classes + odds)
    numbers = GOOD.replace("  label: late", "  label: late\n  task: number")
    spec = parse_project(
        numbers + "model: {decision: {kind: limit, value: 30, when: below}}\ngates: {r2: {min: 0.5}}\n"
    )
    assert spec.model.decision.when == "below"
    assert parse_project(numbers + "model: {code: 'a.py:b'}\n").model.code == "a.py:b"


def test_strangers_are_a_matter_of_classes_and_of_the_learner_of_texts():
    way = "texts: [{embedding: small, out_of_scope: true}]"
    classes = GOOD.replace("  label: late", "  label: late\n  task: classes")
    texts = classes + f"model: {{{way}, candidates: [{{learner: text}}]}}\n"
    assert parse_project(texts).model.texts[0].out_of_scope
    assert "is about classes" in refusal(texts.replace("  task: classes\n", ""))
    alone = "only the learner `text` understands"
    assert alone in refusal(texts.replace("{learner: text}", "{learner: text}, {learner: logistic}"))
    assert alone in refusal(classes + f"model: {{{way}}}\n")
