"""Messages that are taken apart together become what each becomes alone, or are not taken at all."""

import math

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.alike_messages import AlikeMessages
from drivetrain.ingest.flat_columns import columns_of
from drivetrain.ingest.messages import JsonDecoder
from drivetrain.store.files.parquet import as_text

FIRST = [
    b'{"id":1,"name":"a","paid":true,"price":1.5,"device":{"os":"linux","age":2},"note":null}',
    b'{"id":2,"price":2}',
]


def learned(*messages, depth=3, as_written=()):
    alike = AlikeMessages(depth, frozenset(as_written))
    alike.learn(JsonDecoder().decode_all(messages or FIRST))
    return alike


def written(columns):
    """The columns as text, but for those without a value, which are no columns for whoever sees this block alone."""
    texts = {name: as_text(column).to_pylist() for name, column in columns.items()}
    return {name: text for name, text in texts.items() if any(value is not None for value in text)}


def alone(messages, depth=3):
    return written(columns_of(JsonDecoder().decode_all(messages), depth))


def test_what_is_shaped_alike_is_taken_in_its_own_types():
    found = learned().columns([b'{"id":3,"name":"b","device":{"age":4,"os":null}}', b'{"paid":false,"price":1e3}'])
    kinds = {name: column.type for name, column in found.items()}
    assert kinds == {
        "id": pa.int64(), "name": pa.string(), "paid": pa.bool_(), "price": pa.float64(), "device.os": pa.string(),
        "device.age": pa.int64(), "note": pa.string(),
    }  # fmt: skip
    assert found["device.age"].to_pylist() == [4, None]
    assert found["price"].to_pylist() == [None, 1000.0]


@pytest.mark.parametrize(
    "message",
    [
        b"", b"{}", b"{ }", b"[1]", b"1", b"null", b'{"id":1', b'{"id":1}{"id":2}', b'{"id":1} {"id":2}', b'{"id":1}x',
        b'{"id":"1"}', b'{"id":1.5}', b'{"id":9223372036854775808}', b'{"name":1}', b'{"note":1}', b'{"new":1}',
        b'{"device":{"new":1}}', b'{"device":[]}', b'{"device":1}', b'{"name":"\xff"}', b'{"name":"\\ud800"}',
        b'{"price":NaN}', b'{"price":-Infinity}', b'{"price":1e999}', b'{"price":1.7976931348623159e308}',
        b'{"id":1,"id":2}', b'{"id":1,}', b'{"id":\n1}', b'\xef\xbb\xbf{"id":1}', b"\0\0\0\0\7{}", None,
    ],
)  # fmt: skip
def test_what_arrow_reads_otherwise_or_nobody_can_is_left_to_be_taken_alone(message):
    for block in ([message], [message, FIRST[0]], [FIRST[0], message], [b"", b'{"id":1}{"id":2}', message]):
        assert learned().columns(block) is None


def test_nothing_is_taken_before_something_was_learned():
    assert AlikeMessages(3, frozenset()).columns(FIRST) is None


def test_another_shape_is_learned_beside_the_first():
    alike = learned()
    later = [b'{"id":7,"price":3,"new":{"deep":1},"note":"text","device":{"new":true}}']
    assert alike.columns(later) is None
    alike.learn(JsonDecoder().decode_all(later))
    assert written(alike.columns([*later, *FIRST])) == {
        **alone([*later, *FIRST]), "price": ["3", "1.5", "2"],
    }  # fmt: skip


@pytest.mark.parametrize("other", [b'{"id":"text"}', b'{"id":[1]}', b'{"id":{"a":{}}}', b'{"device":{"a":{"b":{}}}}'])
def test_what_has_no_shape_is_never_taken(other):
    alike = learned()
    alike.learn(JsonDecoder().decode_all([other]))
    assert alike.columns(FIRST) is None
    alike.learn(JsonDecoder().decode_all(FIRST))
    assert alike.columns(FIRST) is None, "it would be tried and given up again and again"


def test_numbers_that_must_keep_their_text_are_left_alone():
    assert learned(as_written=["price"]).columns(FIRST) is None
    assert learned(as_written=["id"]).columns(FIRST) is not None, "whole numbers have one way to be written"


texts = st.text(st.characters(codec="utf-8"), max_size=4)
numbers = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer() or value == 0)
record = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | st.integers(-(2**63), 2**63 - 1),
        "name": st.none() | texts,
        "paid": st.none() | st.booleans(),
        "price": st.none() | numbers,
        "device": st.none() | st.fixed_dictionaries({}, optional={"os": texts, "age": st.none() | st.integers(0, 9)}),
    },
)


def says_nothing(value):
    return value is None or (isinstance(value, dict) and all(map(says_nothing, value.values())))


@given(st.lists(record, min_size=1, max_size=6))
def test_rows_are_those_of_messages_taken_alone(records):
    messages = list(map(msgspec.json.encode, records))
    found = learned(*FIRST).columns(messages)
    if found is None:
        assert any(map(says_nothing, records)), "only what may have no fields is left to be taken alone"
        return
    together, one_by_one = written(found), alone(messages)
    for price in (together.pop("price", None), one_by_one.pop("price", None)):
        assert price is None or all(text is None or math.isfinite(float(text)) for text in price)
    assert together == one_by_one
    assert [row.get("price") for row in records] == found["price"].to_pylist()
