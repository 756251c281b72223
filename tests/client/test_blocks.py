"""Any list as blocks: nothing lost, nothing doubled, nothing out of order, and no block too large."""

import json
from collections import UserDict
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.client.blocks import EXPLAIN, LABELS, PREDICT, STREAM, Block, blocks
from drivetrain.core.errors import InvalidInput

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
rows = st.lists(st.dictionaries(texts, values, max_size=4), max_size=40)


@given(rows, st.integers(1, 50))
def test_blocks_are_the_list(items, most):
    made = list(blocks(items, lambda: most, "rows"))
    assert [json.loads(item) for block in made for item in block.items] == items
    assert [block.start for block in made] == list(range(0, len(items), most))
    assert all(0 < len(block.items) <= most for block in made)


@given(rows.filter(lambda items: len(items) > 1))
def test_halves_are_the_block(items):
    block = next(blocks(items, lambda: 100, "rows"))
    first, second = block.halves()
    assert first.items + second.items == block.items
    assert (first.start, second.start) == (0, len(first.items))
    assert 0 < len(first.items) <= len(second.items)


@given(rows.filter(bool))
def test_a_body_is_the_items_in_its_form(items):
    block = next(blocks(items, lambda: 100, "rows"))
    assert json.loads(block.body(PREDICT)) == {"rows": items}
    assert json.loads(block.body(EXPLAIN)) == {"rows": items, "explain": True}
    assert json.loads(block.body(LABELS)) == {"labels": items}
    lines = block.body(STREAM).split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == items
    assert lines[-1] == b""


def test_a_block_holds_half_a_megabyte():
    made = list(blocks(({"text": "a" * 1000} for _ in range(2000)), lambda: 10_000, "rows"))
    assert all(len(block.body(PREDICT)) <= 530_000 for block in made)
    assert len(made) == 4


def test_an_item_larger_than_that_goes_alone():
    made = list(blocks([{"a": 1}, {"a": "x" * 600_000}, {"a": 2}], lambda: 10, "rows"))
    assert [len(block.items) for block in made] == [1, 1, 1]


def test_only_what_a_block_needs_is_taken():
    endless = iter(int, 1)
    taken = list(islice(blocks(({"n": number} for number in endless), lambda: 7, "rows"), 3))
    assert [len(block.items) for block in taken] == [7, 7, 7]


def test_a_smaller_most_counts_from_the_next_block():
    most = [4]
    made = blocks([{"n": number} for number in range(8)], lambda: most[0], "rows")
    sizes = [len(next(made).items)]
    most[0] = 2
    assert sizes + [len(block.items) for block in made] == [4, 2, 2]


@pytest.mark.parametrize("item", [{"a": object()}, {"a": "\ud800"}, {"a": {1, 2j}}, object()])
def test_what_cannot_be_sent_comes_after_what_can(item):
    made = blocks([{"n": 1}, {"n": 2}, item, {"n": 3}], lambda: 10, "rows")
    assert next(made) == Block(0, [b'{"n":1}', b'{"n":2}'])
    with pytest.raises(InvalidInput) as caught:
        next(made)
    assert (caught.value.code, caught.value.where) == ("value_unsendable", "rows[2]")


def test_other_mappings_and_numbers_are_sent():
    block = next(blocks([UserDict(a=Decimal("1.50")), {"b": True}], lambda: 10, "rows"))
    assert block.items == [b'{"a":1.50}', b'{"b":true}']
