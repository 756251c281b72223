from __future__ import annotations

import contextlib
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.access.exact import decode, encode
from drivetrain.core.errors import Tampered


@dataclass(frozen=True)
class Thing:
    name: str
    numbers: tuple[float, ...]
    inner: Thing | None = None


THINGS = st.recursive(
    st.builds(Thing, st.text(), st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple), st.none()),
    lambda inner: st.builds(Thing, st.text(), st.just(()), inner),
    max_leaves=4,
)


@given(THINGS)
def test_what_was_written_is_read(thing: Thing):
    assert decode(encode(thing), Thing, "thing.json") == thing


@given(THINGS, st.data())
def test_no_other_bytes_say_the_same(thing: Thing, data: st.DataObject):
    content = bytearray(encode(thing))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Tampered):
        assert decode(bytes(content), Thing, "thing.json") != thing


SOUND = Thing("a", (1.5,), None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        msgspec.json.encode(SOUND),
        encode(SOUND) + b"\n",
        encode(SOUND)[:-1],
        b" " + encode(SOUND),
        encode(SOUND).replace(b'"a"', b'"\\u0061"'),
        encode(SOUND).replace(b"1.5", b"1.50"),
        encode(SOUND).replace(b"1.5", b"15e-1"),
        encode(SOUND).replace(b'"name": "a"', b'"name": "b",\n "name": "a"'),
        encode(SOUND).replace(b"null", b'null,\n "more": 1'),
        encode(SOUND).replace(b'"a"', b'"\xff"'),
        encode(SOUND).replace(b'"a"', b'"\\ud800"'),
        encode(SOUND).replace(b"1.5", b"NaN"),
        encode(SOUND).replace(b"1.5", b"1e999"),
        b"\xef\xbb\xbf" + encode(SOUND),
        b"[" * 1_000_000,
        b'{"name":' + b"[" * 1_000_000,
        b'{"more":' + b'{"a":' * 100_000,
        b'{"inner":' * 100_000,
    ],
)
def test_another_spelling_is_refused_with_the_name_of_the_file(content: bytes):
    with pytest.raises(Tampered, match=r"thing\.json is not what was signed"):
        decode(content, Thing, "thing.json")
