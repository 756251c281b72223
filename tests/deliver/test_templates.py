"""Texts with columns in them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.deliver.templates import Template, known_column

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = {"customer": "ann", "risk": 0.5, "n": None, "at": AT, "sum": Decimal("1.20")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"), ("", ""), ("{{not}}", "{not}"), ("{risk}", 0.5), ("{n}", None), ("{n}!", "!"),
        ("risk of {customer}: {risk}", "risk of ann: 0.5"), ("{customer}{customer}", "annann"),
        ("{at} {sum}", "2026-01-02T03:04:05Z 1.20"), ("{at}", AT),
    ],
)  # fmt: skip
def test_a_column_alone_keeps_its_type_and_is_text_in_a_text(text, value):
    template = Template(text, "topic")
    template.check(ROW)
    assert template.value(ROW) == value


@pytest.mark.parametrize("text", ["{", "}", "{}", "{customer!r}", "{risk:.2f}", "a {customer"])
def test_what_is_no_template(text):
    with pytest.raises(InvalidInput) as caught:
        Template(text, "fields.subject")
    assert (caught.value.code, caught.value.where) == ("outlet_template_invalid", "fields.subject")


@pytest.mark.parametrize("text", ["{custmer}", "{customer.__class__}", "{customer[0]}"])
def test_a_column_that_is_not_there_is_told_with_those_that_are(text):
    with pytest.raises(InvalidInput) as caught:
        Template(text, "topic").check(ROW)
    assert caught.value.code == "outlet_column_unknown"
    assert "customer" in caught.value.hint
    assert known_column("risk", ROW, "key") == "risk"


@given(st.text())
def test_any_text_with_its_braces_doubled_stands_for_itself(text):
    assert Template(text.replace("{", "{{").replace("}", "}}"), "topic").value({}) == text
