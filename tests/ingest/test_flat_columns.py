"""Many records at a time become the same columns as one at a time."""

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.flat_columns import columns_of, names_of
from drivetrain.ingest.flattened import as_text, flatten, table_of


def columns(*records, depth=3):
    return {name: column.to_pylist() for name, column in columns_of(records, depth).items()}


def test_an_object_has_no_column_of_its_own_unless_it_is_empty_or_something_else():
    assert columns({"a": None, "n": None}, {"a": {"b": 1}}) == {"n": [None, None], "a.b": [None, "1"]}
    assert columns({"a": 1}, {"a": {"b": 1}}) == {"a.b": [None, "1"], "a": ["1", None]}
    assert columns({"a": {}}) == {"a": [None]}
    assert columns({"a": {"b": {"c": {}}}}, depth=2) == {"a.b": ['{"c":{}}']}


values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=5)
)
plain = st.dictionaries(st.sampled_from("abc"), values)
nested = st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner), max_leaves=8)


@given(st.lists(plain, max_size=5))
def test_many_records_are_written_as_one_is(records):
    found = columns(*records)
    for name in {name for record in records for name in record}:
        assert found[name] == [as_text(record.get(name)) for record in records]


@given(st.lists(st.dictionaries(st.sampled_from("ab"), nested), min_size=1, max_size=3), st.integers(1, 3))
def test_every_value_stands_where_a_record_alone_puts_it(records, depth):
    found, rows = columns(*records, depth=depth), [flatten(record, depth) for record in records]
    for name, values in found.items():
        assert values == [row.get(name) for row in rows]
    assert set(table_of(rows).column_names) <= set(found), "an object that is always empty is a column of its own here"
    assert bool(names_of(records[0], depth)) == bool(records[0])
