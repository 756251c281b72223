"""Expressions on a stack, with SQL's rule for what is unknown."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.windows import OnlineFeature, Step
from drivetrain.ops.expressions import evaluate, rounded

X, Y = Step("column", "x"), Step("column", "y")


def said(*steps, x=None, y=None, windows=(), round_it=False):
    return evaluate(OnlineFeature("f", steps, round_it), {"x": x, "y": y}, windows)


@pytest.mark.parametrize(
    ("do", "x", "y", "answer"),
    [
        ("+", 1.0, 2.0, 3.0), ("-", 1.0, 2.0, -1.0), ("*", 3.0, 2.0, 6.0), ("/", 3.0, 2.0, 1.5), ("/", 3.0, 0.0, None),
        ("/", None, 2.0, None), ("+", 1.0, None, None), ("=", "a", "a", 1.0), ("<>", "a", "b", 1.0),
        ("<", 1.0, 1.0, 0.0),
        ("<=", 1.0, 1.0, 1.0), (">", 2.0, 1.0, 1.0), (">=", 0.0, 1.0, 0.0), ("=", None, None, None),
        ("coalesce", None, 2.0, 2.0), ("coalesce", 1.0, 2.0, 1.0), ("coalesce", None, None, None),
    ],
)  # fmt: skip
def test_two_values(do, x, y, answer):
    assert said(X, Y, Step(do), x=x, y=y) == answer


def test_one_value_constants_and_windows():
    assert said(X) is None
    assert said(Step("window", number=1.0), windows=(4.0, 5.0)) == 5.0
    assert said(X, Step("number", number=2.5), Step("*"), x=2.0) == 5.0
    assert said(X, Step("text", "CH"), Step("="), x="CH") == 1.0
    assert said(X, Step("abs"), x=-2.0) == 2.0
    assert said(X, Step("abs")) is None


@given(st.floats(0, 4e9))
def test_hours_and_weekdays_are_those_of_duckdb(seconds):
    moment = "SELECT hour(t), isodow(t) FROM (SELECT make_timestamp(CAST(floor(?) * 1000000 AS BIGINT)) AS t)"
    hour, weekday = duckdb.execute(moment, [seconds]).fetchone()
    assert (said(X, Step("hour"), x=seconds), said(X, Step("isodow"), x=seconds)) == (hour, weekday)


@given(st.floats(-1e12, 1e12))
def test_rounding_is_that_of_the_feature_table(value):
    (kept,) = duckdb.execute("SELECT CAST(CAST(round(?, 6) AS FLOAT) AS DOUBLE)", [value]).fetchone()
    assert rounded(value) == kept
    assert said(X, x=value, round_it=True) == kept
