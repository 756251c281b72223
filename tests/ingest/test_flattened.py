"""Nested values as rows."""

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.flattened import as_text, flatten, table_of


def test_an_object_that_is_null_in_some_rows_leaves_no_column_of_its_own():
    table = table_of([flatten({"a": None, "n": None}, 3), flatten({"a": {"b": 1}}, 3)])
    assert table.to_pylist() == [{"n": None, "a.b": None}, {"n": None, "a.b": "1"}]


def test_a_value_beside_an_object_of_the_same_name_is_kept():
    assert table_of([flatten({"a": 1}, 3), flatten({"a": {"b": 1}}, 3)]).to_pylist()[0] == {"a": "1", "a.b": None}


def test_numbers_that_json_has_no_word_for():
    assert [as_text(value) for value in (float("nan"), float("inf"), 1e300, 0.1)] == ["nan", "inf", "1e+300", "0.1"]


values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
nested = st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=8)


@given(st.dictionaries(st.text(max_size=3), nested), st.integers(1, 4))
def test_every_record_becomes_text(record, depth):
    row = flatten(record, depth)
    assert all(value is None or isinstance(value, str) for value in row.values())
    assert table_of([row]).num_rows <= 1
