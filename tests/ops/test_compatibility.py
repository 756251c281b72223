"""What a challenger may ask of callers who send rows for the champion: nothing new."""

import pytest

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.compatibility import obstacles

AGE = InputField("age", ColumnType.INTEGER, False)
CITY = InputField("city", ColumnType.TEXT, True, ("Bern",))
CHAMPION = Signature((AGE, CITY), "case", "default")


def signature(*inputs, entity="case", target="default"):
    return Signature(inputs, entity, target)


@pytest.mark.parametrize(
    "challenger",
    [
        CHAMPION,
        signature(CITY, AGE),
        signature(AGE),
        signature(InputField("age", ColumnType.NUMBER, True)),
        signature(AGE, InputField("city", ColumnType.TEXT, True, ("Chur", "Bern"))),
        signature(AGE, InputField("income", ColumnType.NUMBER, True)),
    ],
    ids=["same", "other order", "fewer", "wider type", "other categories", "new that may be missing"],
)
def test_what_takes_every_row_of_the_champion_may_be_tried(challenger):
    assert obstacles(CHAMPION, challenger) == ()


@pytest.mark.parametrize(
    ("challenger", "why"),
    [
        (signature(AGE, InputField("income", ColumnType.NUMBER, False)), "'income' is new and must be given"),
        (signature(InputField("age", ColumnType.TEXT, False)), "'age' is a text, not an integer"),
        (signature(InputField("city", ColumnType.TEXT, False)), "'city' must be given, and was free to be missing"),
        (signature(AGE, entity="person"), "the entity is 'person', not 'case'"),
        (signature(AGE, target="fraud"), "the target is 'fraud', not 'default'"),
    ],
)
def test_what_stands_in_the_way_is_named(challenger, why):
    assert obstacles(CHAMPION, challenger) == (why,)


def test_a_number_is_no_integer():
    champion = signature(InputField("age", ColumnType.NUMBER, False))
    assert obstacles(champion, signature(AGE)) == ("'age' is an integer, not a number",)


def test_everything_is_said_at_once():
    other = signature(InputField("age", ColumnType.DATE, False), InputField("new", ColumnType.TEXT, False), entity="x")
    assert len(obstacles(CHAMPION, other)) == 3


def test_another_task_stands_in_the_way():
    other = Signature((AGE, CITY), "case", "default", Task.NUMBER)
    assert obstacles(CHAMPION, other) == ("the task is 'number', not 'yes_no'",)


def test_new_classes_may_be_tried_and_lost_ones_are_named():
    champion = Signature((AGE,), "case", "topic", Task.CLASSES, ("card", "loan"))
    more = Signature((AGE,), "case", "topic", Task.CLASSES, ("loan", "transfer", "card"))
    assert obstacles(champion, more) == ()
    assert obstacles(more, champion) == ("it does not know the class 'transfer'",)
