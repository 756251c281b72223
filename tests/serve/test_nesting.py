"""How deep JSON may nest: measured without parsing, judged by what json.loads makes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.serve.nesting import check_nesting

TRICKY = st.text(st.sampled_from('[]{}"\\,:n\n é'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4),
    max_leaves=25,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def too_deep(body: bytes, limit: int) -> bool:
    try:
        check_nesting(body, limit)
    except InvalidInput as error:
        return error.code == "nesting_too_deep"
    return False


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_a_body_is_refused_exactly_from_its_depth_on(value: object, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    deep = depth(json.loads(body))
    assert [too_deep(body, limit) for limit in range(deep + 3)] == [limit < deep for limit in range(deep + 3)]


@given(st.text(st.sampled_from('[]{}"\\,1 '), max_size=40), st.integers(0, 6))
def test_what_is_no_json_never_lets_the_parser_deeper_than_the_limit(text: str, limit: int) -> None:
    """The parser goes as far as the text can still become JSON; how deep it is there is known from the outside."""
    deepest = opened = 0
    inside = escaped = False
    for mark in text:
        if inside:
            inside, escaped = (mark != '"' or escaped), mark == "\\" and not escaped
        elif mark == "\\":
            break  # no JSON from here on
        elif mark == '"':
            inside = True
        elif mark in "[{":
            opened += 1
            deepest = max(deepest, opened)
        elif mark in "]}":
            opened -= 1
            if opened < 0:
                break
    assert deepest <= limit or too_deep(text.encode(), limit)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b'["]]]]",' * 33 + b"1" + b"]" * 33,
        b'["\\"]",' * 33 + b"1" + b"]" * 33,
        b'["\\\\",' * 33 + b"1" + b"]" * 33,
        b'["' + b"[" * 50 + b'",' + b"[" * 32,
    ],
)
def test_a_deep_body_is_refused_with_its_limit(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="more than 32 deep") as caught:
        check_nesting(body, 32)
    assert caught.value.where == "body"
    assert caught.value.hint


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 32 + b"]" * 32,
        b'{"rows":[' + b",".join([b'{"a":[1,2],"b":"x"}'] * 10_000) + b"]}",
        b'["' + b"[" * 1000 + b'"]',
        b'["' + b'\\"[' * 1000 + b'"]',
        b"]" * 1000,
        b"not json",
    ],
)
def test_a_flat_body_passes(body: bytes) -> None:
    check_nesting(body, 32)
