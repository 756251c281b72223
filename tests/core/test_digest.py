import hashlib
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.digest import canonical_json, digest_bytes, digest_of

VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=10)


@dataclass(frozen=True)
class Point:
    y: int
    x: int


def test_digest_is_sha256():
    assert digest_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_order_of_keys_does_not_matter():
    assert canonical_json({"b": 1, "a": 2}) == b'{"a":2,"b":1}'
    assert canonical_json(Point(1, 2)) == b'{"y":1,"x":2}'


@given(st.dictionaries(st.text(), VALUES), st.randoms())
def test_same_mapping_same_digest(mapping, random):
    items = list(mapping.items())
    random.shuffle(items)
    assert digest_of(mapping) == digest_of(dict(items))


@given(VALUES, VALUES)
def test_different_values_have_different_digests(one, other):
    same = canonical_json(one) == canonical_json(other)
    assert (digest_of(one) == digest_of(other)) is same
