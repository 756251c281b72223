"""Which rule speaks of a packed row, and what becomes of the answer."""

import numpy as np
import pytest

from drivetrain.core.model import UNKNOWN, DecisionRule, InputField, Interval, Rule, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.core.windows import Step
from drivetrain.ops.saying import Saying

INPUTS = (
    InputField("amount", ColumnType.NUMBER, nullable=True),
    InputField("shop", ColumnType.TEXT, nullable=True, categories=("bakery", "bank")),
)
NAN = float("nan")
HALF = DecisionRule("threshold", 0.5)
ROWS = np.array([[5.0, 0.0], [50.0, 1.0], [NAN, NAN], [500.0, UNKNOWN]])


def column(name):
    return Step("column", name)


def number(value):
    return Step("number", number=value)


HUGE = Rule("huge", "amount > 100", (column("amount"), number(100.0), Step(">")), True, "Too much.")
BANK = Rule("bank", "shop = 'bank'", (column("shop"), Step("text", "bank"), Step("=")), False, "Banks know.")
SURE = Rule("sure", "score > 0.9", (column("score"), number(0.9), Step(">")), False, "Nobody is that sure.")
ELSE = Rule("elsewhere", "shop <> 'bank'", (column("shop"), Step("text", "bank"), Step("<>")), True, "No bank.")


def saying(*rules, task=Task.YES_NO, classes=(), rule=HALF, interval=None):
    signature = Signature(INPUTS, "id", "y", task, classes, rules=tuple(one.name for one in rules))
    return Saying(signature, rule, interval, rules)


def test_the_first_rule_that_speaks_decides_and_the_score_stays():
    said = saying(HUGE, BANK, SURE).say(np.array([0.95, 0.7, 0.6, 0.95]), ROWS)
    assert said.decision.tolist() == [False, False, True, True]
    assert said.outputs[:, -1].tolist() == [3.0, 2.0, 0.0, 1.0]
    assert said.score.tolist() == [0.95, 0.7, 0.6, 0.95]


def test_of_what_is_unknown_no_rule_speaks_and_a_strange_text_is_unlike_every_other():
    said = saying(ELSE).say(np.full(4, 0.1), ROWS)
    assert said.outputs[:, -1].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_a_rule_may_read_what_the_model_decides():
    doubt = Rule("doubt", "decision", (column("decision"),), False, "A person first.")
    said = saying(doubt).say(np.array([0.4, 0.6, 0.5, 0.1]), ROWS)
    assert (said.outputs[:, -1].tolist(), said.decision.any()) == ([0.0, 1.0, 1.0, 0.0], False)


def test_of_classes_a_rule_names_one_or_says_who_answers():
    named = Rule("named", HUGE.when, HUGE.steps, "b", "It is one.")
    asked = (column("class"), Step("text", "a"), Step("="), *BANK.steps, Step("and"))
    person = Rule("person", "class = 'a' AND shop = 'bank'", asked, False, "A person looks.")
    one = saying(named, person, task=Task.CLASSES, classes=("a", "b"), rule=DecisionRule("rejection", 0.6))
    said = one.say(np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.55, 0.45]]), ROWS)
    assert said.outputs.tolist() == [[0.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 1.0]]
    assert said.decision.tolist() == [True, False, False, True]
    assert said.score.tolist() == [0.9, 0.8, 0.5, 0.55], "the score stays that of the likeliest class"


def test_of_numbers_the_interval_stays_before_the_rule():
    wide = Rule("wide", "high - low > 3", (column("high"), column("low"), Step("-"), number(3.0), Step(">")), True, "?")
    interval = Interval(0.9, (0.0, 10.0), (-1.0, -2.0), (1.0, 2.0))
    rule = DecisionRule("limit", 100.0)
    said = saying(wide, task=Task.NUMBER, rule=rule, interval=interval).say(np.array([0.0, 5.0, 10.0, 10.0]), ROWS)
    assert said.decision.tolist() == [False, False, True, True]
    assert [end.tolist() for end in said.ends] == [[-1.0, 3.5, 8.0, 8.0], [1.0, 6.5, 12.0, 12.0]]


def test_no_rows_and_no_rules():
    assert len(saying(HUGE).say(np.empty(0), np.empty((0, 2)))) == 0
    alone = saying().say(np.array([0.7]), ROWS[:1])
    assert (alone.decision.tolist(), alone.outputs.shape) == ([True], (1, 0))


def test_a_score_that_is_none_is_unknown():
    said = saying(SURE).say(np.array([NAN]), ROWS[:1])
    assert (said.outputs[0, -1], bool(said.decision[0]), bool(np.isnan(said.score[0]))) == (0.0, False, True)


@pytest.mark.parametrize("rows", [1, 1000])
def test_many_rows_are_judged_as_each_alone(rows):
    chance = np.random.default_rng(rows)
    packed = np.column_stack([chance.normal(80, 60, rows), chance.integers(-1, 2, rows)])
    score = chance.random(rows)
    one = saying(HUGE, BANK, SURE)
    together = one.say(score, packed)
    alone = [one.say(score[at : at + 1], packed[at : at + 1]) for at in range(rows)]
    assert together.outputs[:, -1].tolist() == [said.outputs[0, -1] for said in alone]
    assert together.decision.tolist() == [bool(said.decision[0]) for said in alone]
