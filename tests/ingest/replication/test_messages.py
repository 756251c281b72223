"""Messages of pgoutput taken apart: what the server writes is what is read, and what is broken is said to be so."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.replication.messages import Begun, Changed, Committed, Described, Unsent, parse

VALUES = st.lists(st.one_of(st.none(), st.just(Unsent.UNSENT), st.binary(max_size=20)), max_size=5).map(tuple)
TABLES, PLACES = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9)


def row(values):
    kinds = {type(None): lambda _: b"n", Unsent: lambda _: b"u"}
    written = [kinds.get(type(one), lambda v: b"t" + struct.pack(">i", len(v)) + v)(one) for one in values]
    return struct.pack(">H", len(values)) + b"".join(written)


@given(TABLES, VALUES, VALUES)
def test_changes_of_rows(table, old, new):
    head = struct.pack(">I", table)
    assert parse(b"I" + head + b"N" + row(new)) == Changed(table, None, new)
    assert parse(b"U" + head + b"N" + row(new)) == Changed(table, None, new)
    assert parse(b"U" + head + b"O" + row(old) + b"N" + row(new)) == Changed(table, old, new)
    assert parse(b"D" + head + b"O" + row(old)) == Changed(table, old, None)


@given(TABLES, VALUES)
def test_of_a_row_that_is_only_named_the_rest_is_not_sent(table, old):
    known = tuple(Unsent.UNSENT if value is None else value for value in old)
    assert parse(b"D" + struct.pack(">I", table) + b"K" + row(old)) == Changed(table, known, None)


@given(PLACES, PLACES)
def test_transactions(commit, end):
    assert parse(b"B" + struct.pack(">QqI", commit, 7, 1)) == Begun(commit)
    assert parse(b"C" + struct.pack(">BQQq", 0, commit, end, 7)) == Committed(end)


@given(TABLES, st.lists(st.tuples(NAMES, TABLES, st.integers(-1, 99)), max_size=4))
def test_columns(table, columns):
    message = b"R" + struct.pack(">I", table) + b"public\0words\0d" + struct.pack(">H", len(columns))
    for name, kind, modifier in columns:
        message += b"\1" + name.encode() + b"\0" + struct.pack(">Ii", kind, modifier)
    types = tuple((kind, modifier) for _, kind, modifier in columns)
    assert parse(message) == Described(table, tuple(name for name, _, _ in columns), types)


@given(st.binary(max_size=40))
def test_other_messages_say_nothing(content):
    for kind in (b"T", b"Y", b"O", b"M"):
        assert parse(kind + content) is None


@given(st.sampled_from([b"B", b"C", b"R", b"I", b"U", b"D"]), st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(kind, content):
    with suppress(InvalidInput):
        parse(kind + content)


@pytest.mark.parametrize("length", [-1, 5])
def test_a_value_that_is_cut_off(length):
    with pytest.raises(InvalidInput):
        parse(b"I" + struct.pack(">I", 1) + b"N" + struct.pack(">H", 1) + b"t" + struct.pack(">i", length) + b"abc")
