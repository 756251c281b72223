"""An answer is supported by its words, numbers and addresses, or it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.grounding import support

PASSAGES = ["How long does a permit take? Ten weeks, at most 20, see https://x.example/permit."]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("A permit takes ten weeks, at most 20.", 0.83),
        ("It takes 30 weeks.", 0.0),
        ("See https://evil.example/permit", 0.0),
        ("Permit: https://x.example/permit.", 1.0),
        ("Send your card number and password now", 0.0),
        ("", 0.0),
        ("is it the", 0.0),
    ],
)
def test_what_passages_do_not_say_is_not_supported(answer, value):
    assert support(answer, PASSAGES) == pytest.approx(value, abs=0.06)


@given(st.text(), st.lists(st.text()))
def test_it_is_a_share(answer, passages):
    assert 0.0 <= support(answer, passages) <= 1.0
