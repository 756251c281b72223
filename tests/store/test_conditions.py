"""Conditions as DuckDB reads and judges them: one at a time, over the columns that are there and nothing else."""

import pyarrow as pa
import pytest

from drivetrain.core.schema import ColumnType
from drivetrain.store.conditions import Conditions

COLUMNS = {"amount": ColumnType.INTEGER, "shop": ColumnType.TEXT}


@pytest.fixture
def conditions():
    with Conditions(COLUMNS, pa.table({"amount": [1, 20, None, 300], "shop": ["a", "b", "b", None]})) as opened:
        yield opened


def test_the_first_that_is_true_counts(conditions):
    assert conditions.first(["amount > 100", "shop = 'b' -- a comment", "true"]).tolist() == [3, 2, 2, 1]
    assert conditions.first(["amount / 3 > 6 AND amount / 0 IS NULL"]).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("condition", "says"),
    [("amount >", "syntax error"), ("1) , (2", "not one condition"),
     ("1); DROP TABLE cases; SELECT (1", "Only SELECT")],
)  # fmt: skip
def test_what_is_no_condition_is_not_read(conditions, condition, says):
    with pytest.raises(ValueError, match=says):
        conditions.tree(condition)


@pytest.mark.parametrize(
    ("condition", "says"),
    [("amount", "gives DOUBLE, not true or false"), ("amount > shop", "(?i)cast|convert|compare"),
     ("price > 3", 'price" not found'), ("read_text('/etc/hostname') IS NULL", "(?i)read_text")],
)  # fmt: skip
def test_what_is_true_of_no_case_is_refused(conditions, condition, says):
    with pytest.raises(ValueError, match=says):
        conditions.check(condition)
