"""A batch is packed as the server packs a request."""

from contextlib import closing

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deliver.conftest import table_of

from drivetrain.deliver.rows import BatchPacker
from drivetrain.store.files.batches import Batch, BrokenRow
from drivetrain.testing.graphs import SIGNATURE, as_json, draw


@pytest.fixture(scope="module")
def packer():
    with closing(BatchPacker(SIGNATURE, ())) as made:
        yield made


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 30), as_text=st.booleans())
def test_rows_are_packed_as_they_were(packer, seed, size, as_text):
    rows = draw(25, seed)
    table = table_of(as_json(rows))
    if as_text:
        table = pa.table({name: column.cast(pa.string()) for name, column in zip(SIGNATURE.names, table, strict=True)})
    packs = list(packer.pack(Batch("a", table, pa.array(range(1, 26))), size))
    assert all(len(packed.rows) <= size and not packed.bad for packed in packs)
    np.testing.assert_array_equal(np.concatenate([packed.rows for packed in packs]), rows)
    assert [number for packed in packs for number in packed.kept["row"].to_pylist()] == list(range(1, 26))


@given(
    numbers=st.lists(st.integers(1, 60), unique=True, max_size=12).map(sorted),
    broken=st.lists(st.integers(1, 60), unique=True, max_size=12),
    size=st.integers(1, 5),
)
def test_every_row_is_in_one_slice_and_the_slices_are_in_order(packer, numbers, broken, size):
    broken = sorted(set(broken) - set(numbers))
    rows = table_of(as_json(draw(len(numbers) or 1)))[: len(numbers)]
    torn = tuple(BrokenRow(number, "?", "torn") for number in broken)
    packs = list(packer.pack(Batch("a", rows, pa.array(numbers, pa.int64()), torn), size))
    ends = [packed.last for packed in packs]
    assert ends == sorted(ends)
    assert ends[-1] == max([0, *numbers, *broken])
    for packed, before in zip(packs, [0, *ends], strict=False):
        there = [*packed.kept["row"].to_pylist(), *(row.number for row in packed.bad)]
        assert all(before < number <= packed.last for number in there)
    assert sorted(n for p in packs for n in p.kept["row"].to_pylist()) == numbers
    assert sorted(row.number for packed in packs for row in packed.bad) == broken


def test_text_that_the_model_does_not_know_is_unknown_and_an_integer_beyond_float64_is_bad(packer):
    table = table_of(as_json(draw(3)))
    at = {name: position for position, name in enumerate(SIGNATURE.names)}
    table = table.set_column(at["city"], "city", pa.array(["Zug", None, "Chur"]))
    table = table.set_column(at["age"], "age", pa.array([40, 40, 2**53 + 1]))
    (packed,) = packer.pack(Batch("a", table, pa.array([1, 2, 3])), 10)
    np.testing.assert_array_equal(packed.rows[:, at["city"]], [-1, np.nan])
    assert [row.reasons for row in packed.bad] == [(f"age: '{2**53 + 1}' is not an integer",)]
