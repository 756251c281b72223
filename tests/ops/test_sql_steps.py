"""Expressions that DuckDB parses, as steps: whatever the columns hold, both say the same."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.ops.expressions import value_of
from drivetrain.ops.sql_steps import StepReader, last_name
from drivetrain.store.conditions import Conditions

COLUMNS = {"x": ColumnType.NUMBER, "y": ColumnType.NUMBER, "b": ColumnType.BOOLEAN, "t": ColumnType.TEXT}
NUMBER = st.sampled_from([None, -2.5, -1.0, 0.0, 0.5, 1.0, 3.0])
ROW = st.fixed_dictionaries(
    {"x": NUMBER, "y": NUMBER, "b": st.sampled_from([None, True, False]), "t": st.sampled_from([None, "one", "two"])}
)
AMOUNT = st.recursive(
    st.sampled_from(["x", "y", "1", "-2.5", "0", "1e1"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("abs({})".format, inner),
        st.builds("coalesce({}, {})".format, inner, inner),
    ),
    max_leaves=4,
)
SIMPLE = st.one_of(
    st.sampled_from(["b", "true", "false", "t = 'one'", "t <> 'two'", "t IN ('one', 'two')", "t NOT IN ('one')"]),
    st.builds("{} {} {}".format, AMOUNT, st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]), AMOUNT),
    st.builds("{} BETWEEN {} AND {}".format, AMOUNT, AMOUNT, AMOUNT),
    st.builds("{} NOT BETWEEN {} AND {}".format, AMOUNT, AMOUNT, AMOUNT),
    st.builds("{} IN ({}, {})".format, AMOUNT, AMOUNT, AMOUNT),
    st.builds("{} IS NULL".format, AMOUNT),
    st.sampled_from(["t IS NULL", "t IS NOT NULL", "b IS NOT NULL"]),
)
CONDITION = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {} OR {})".format, inner, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)


class Reader(StepReader):
    def column(self, node):
        return last_name(node)

    def refused(self, node, why):
        return InvalidInput("refused", why)


@settings(max_examples=60, deadline=None)
@given(CONDITION, st.lists(ROW, min_size=1, max_size=8))
def test_a_condition_says_of_every_row_what_duckdb_says(condition, rows):
    types = [("x", pa.float64()), ("y", pa.float64()), ("b", pa.bool_()), ("t", pa.string())]
    with Conditions(COLUMNS, pa.Table.from_pylist(rows, schema=pa.schema(types))) as conditions:
        steps = Reader().steps(conditions.tree(condition))
        said = conditions.first([condition])
    assert [bool(value_of(steps, row)) for row in rows] == said.astype(bool).tolist(), condition


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("upper(t) = 'ONE'", "uses upper"), ("x > (SELECT 1)", "uses subquery"), ("t LIKE 'o%'", "uses ~~"),
        ("CASE WHEN b THEN x ELSE y END > 1", "uses case"), ("x = NULL", "neither number nor text"),
        ("count(*) OVER () > 3", "looks at other rows"), ("CAST(t AS BOOLEAN)", "casts to a boolean"),
        ("CAST(x AS INTEGER) = 1", "uses operator_cast"), ("coalesce(x, y, 1) > 0", "uses operator_coalesce"),
        ("-x > 1", "uses -"),
    ],
)  # fmt: skip
def test_what_has_no_steps_is_refused(condition, says):
    with Conditions(COLUMNS) as conditions, pytest.raises(InvalidInput) as caught:
        Reader().steps(conditions.tree(condition))
    assert says in caught.value.message


def test_moments_are_read_as_seconds():
    hour = "hour(paid) >= 22 AND isodow(paid) = 7 AND epoch(paid) > 0"
    with Conditions({"paid": ColumnType.TIMESTAMP}) as conditions:
        steps = Reader().steps(conditions.tree(hour))
    for moment in ("2024-06-02 23:10:00", "2024-06-02 20:10:00", "2024-06-03 23:10:00"):
        (seconds, said) = duckdb.execute(
            f"SELECT epoch(paid), {hour} FROM (SELECT CAST(? AS TIMESTAMP) AS paid)", [moment]
        ).fetchone()
        assert bool(value_of(steps, {"paid": seconds})) == said
