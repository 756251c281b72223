"""Values that grow: read exactly, written as a service reads them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.moments import bound_of, moment_of, text_of, time_of


@pytest.mark.parametrize(
    ("value", "form", "moment"),
    [
        ("1970-01-01T00:00:01.5Z", "iso", "1.5"),
        ("1970-01-01 01:00:01+01:00", "iso", "1"),
        ("1970-01-02", "iso", "86400"),
        ("12", "unix", "12"),
        ("1500", "unix_ms", "1.5"),
        ("1970-01-01T00:00:02Z", "unix_ms", "2"),
        ("9007199254740993", "number", "9007199254740993"),
    ],
)
def test_a_value_is_read_exactly(value, form, moment):
    assert moment_of(value, form) == Decimal(moment)


@pytest.mark.parametrize(
    ("value", "form"), [("", "iso"), ("5", "iso"), ("x", "number"), ("NaN", "number"), ("Infinity", "unix")]
)
def test_what_does_not_grow(value, form):
    with pytest.raises(ValueError):  # noqa: PT011 - what it says depends on Python
        moment_of(value, form)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_written_as_it_is_read(when):
    moment = moment_of(when.isoformat(), "iso")
    assert time_of(moment) == when
    assert moment_of(text_of(moment, "iso"), "iso") == moment


def test_a_time_comes_again_from_its_whole_second_and_a_number_from_itself():
    assert bound_of(Decimal("10.7"), "iso", 3) == 7
    assert bound_of(Decimal("10.7"), "number", 0) == Decimal("10.7")
