"""Nested JSON becomes rows and columns, and loses nothing on the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.flattened import as_text
from drivetrain.ingest.nested import Columns, at, flat_rows, read_value


def rows(text, depth=4, explode=None):
    return [
        {name: as_text(value) for name, value in row.items()}
        for row in flat_rows(read_value(text), depth, explode, "x")
    ]


def test_objects_become_dotted_columns_down_to_a_depth():
    text = '{"id": 1, "a": {"b": {"c": {"d": {"e": 2}}}}, "l": [1, {"x": 0.10}], "n": null, "o": {}}'
    assert rows(text, depth=3) == [{"id": "1", "a.b.c": '{"d":{"e":2}}', "l": '[1,{"x":0.10}]', "n": None}]
    assert rows(text, depth=1)[0]["a"] == '{"b":{"c":{"d":{"e":2}}}}'


def test_a_list_may_become_rows_with_the_columns_of_their_parent():
    order = '{"id": 7, "buyer": {"name": "x"}, "lines": [{"sku": "a", "price": {"net": 1.50}}, {"sku": "b"}]}'
    assert rows(order, explode="lines") == [
        {"id": "7", "buyer.name": "x", "lines.sku": "a", "lines.price.net": "1.50"},
        {"id": "7", "buyer.name": "x", "lines.sku": "b"},
    ]
    assert rows('{"id": 7, "tags": ["a", 2]}', explode="tags") == [{"id": "7", "tags": "a"}, {"id": "7", "tags": "2"}]
    assert rows('{"id": 7, "lines": []}', explode="lines") == [{"id": "7"}]
    assert rows('{"a": {"l": [1, 2]}}', explode="a.l") == [{"a.l": "1"}, {"a.l": "2"}]


def test_a_path_leads_through_objects_or_names_a_key_with_dots():
    value = {"a": {"b": 1}, "@odata.nextLink": "next"}
    assert [at(value, path) for path in ("a.b", "@odata.nextLink", "a.x.y", "a.b.c", "")] == [
        1,
        "next",
        None,
        None,
        value,
    ]


def test_two_values_for_one_column_are_an_error():
    with pytest.raises(InvalidInput, match=r"called 'a\.b'"):
        rows('{"a.b": 1, "a": {"b": 2}}')


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("[1, 2, null]", ColumnType.INTEGER),
        ("[1, 2.5]", ColumnType.NUMBER),
        ("[0.30000000000000004]", ColumnType.NUMBER),
        ("[true, false]", ColumnType.BOOLEAN),
        ('["01", "2"]', ColumnType.TEXT),
        ("[[1]]", ColumnType.TEXT),
        ("[123456789012345678901]", ColumnType.TEXT),
        ("[1.2345678901234567890]", ColumnType.TEXT),
        ('["2026-01-01"]', None),
        ('["a"]', None),
        ('[1, "a"]', None),
        ("[1, true]", None),
        ("[null]", None),
    ],
)
def test_types_are_declared_where_all_values_agree(values, kind):
    columns = Columns("x")
    for value in read_value(values):
        columns.table([{"v": value}])
    assert {column.name: column.type for column in columns.declared.columns}.get("v") is kind


def test_an_object_that_is_null_in_some_rows_is_no_column():
    columns = Columns("x")
    table = columns.table([*flat_rows({"a": {"b": 1}}, 3, None, "x"), *flat_rows({"a": None}, 3, None, "x")])
    assert table.column_names == ["a.b"]
    assert columns.table([{"a": None, "c": None}]).column_names == ["c"]


@pytest.mark.parametrize("name", ["ID", "drivetrain_row"])
def test_names_that_no_table_can_have(name):
    with pytest.raises(InvalidInput):
        Columns("x").table([{"id": 1, name: 2}])


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_text(number):
    text = f"{number:e}" if "." in f"{number:e}" else f"{number:.1e}"
    assert rows(f'{{"v": {text}}}') == [{"v": text}]
    assert rows(f'{{"v": [{text}]}}') == [{"v": f"[{text}]"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1).filter(lambda key: "." not in key), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda key: "." not in key), JSON, min_size=1))
def test_no_value_is_lost(record):
    """Put together again from its dotted columns, the record is what it was, but for empty objects."""
    (row,) = flat_rows(read_value(json.dumps(record)), 3, None, "x")
    again = {}
    for name, value in row.items():
        *parents, last = name.split(".")
        place = again
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = json.loads(as_text(value)) if value is not None and not isinstance(value, str) else value
    assert again == _without_empty(record, 3)


def _without_empty(record, depth):
    kept = {}
    for name, value in record.items():
        if isinstance(value, dict) and depth > 1:
            inner = _without_empty(value, depth - 1)
            if inner:
                kept[name] = inner
        else:
            kept[name] = value
    return kept
