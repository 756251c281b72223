from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.model import InputField
from drivetrain.core.schema import ColumnType
from drivetrain.validate.parts import numbers, parts_by_cuts, parts_by_value, parts_of_input

FLOATS = st.lists(st.floats(-100, 100) | st.just(float("nan")), min_size=1, max_size=50)


@given(FLOATS, st.lists(st.integers(-100, 100), max_size=4, unique=True))
def test_ranges_part_every_row_into_exactly_one(values, cuts):
    parts = parts_by_cuts("x", np.array(values), sorted(cuts))
    assert (np.sum([part.rows for part in parts], axis=0) == 1).all()


@given(FLOATS)
def test_parts_of_a_number_hold_every_row_once(values):
    field = InputField("x", ColumnType.NUMBER, nullable=True)
    assert (np.sum([part.rows for part in parts_of_input(field, np.array(values), 4)], axis=0) == 1).all()


@pytest.mark.parametrize(
    ("kind", "values", "labels"),
    [
        (ColumnType.INTEGER, [1, 2, 3, 4], ["x < 3", "x ≥ 3"]),
        (ColumnType.NUMBER, [0.5, 1.5, 2.5, np.nan], ["x < 1", "1 ≤ x < 2", "x ≥ 2", "x missing"]),
        (ColumnType.BOOLEAN, [1, 1, 0, np.nan], ["x = true", "x = false", "x missing"]),
        (ColumnType.TEXT, [0, 1, 1, -1], ["x = b", "x = not seen in training", "x = a"]),
        (ColumnType.TIMESTAMP, [0, 86_400 * 2], ["x < 1970-01-02", "x ≥ 1970-01-02"]),
        (ColumnType.NUMBER, [7, 7], ["x given"]),
    ],
)
def test_parts_are_called_what_a_person_calls_them(kind, values, labels):
    field = InputField("x", kind, nullable=True, categories=("a", "b"))
    bins = 2 if len(values) != 4 or kind is ColumnType.INTEGER else 3
    assert [part.label for part in parts_of_input(field, np.array(values, dtype=float), bins)] == labels


def test_two_parts_together_are_the_rows_of_both():
    one, other = parts_by_cuts("x", np.array([1.0, 2.0, 3.0]), [2])
    both = one & other
    assert not both.rows.any()
    assert (both.label, both.columns) == ("x < 2, x ≥ 2", ("x", "x"))


def test_values_are_parts_commonest_first_and_the_missing_ones_last():
    column = pa.chunked_array([["b", None], ["a", "b"]])
    parts = parts_by_value("x", column)
    assert [(part.label, part.rows.tolist()) for part in parts] == [
        ("x = b", [True, False, False, True]),
        ("x = a", [False, False, True, False]),
        ("x missing", [False, True, False, False]),
    ]


def test_numbers_are_floats_with_gaps():
    assert np.array_equal(numbers(pa.chunked_array([[1, None, 3]])), [1.0, np.nan, 3.0], equal_nan=True)
