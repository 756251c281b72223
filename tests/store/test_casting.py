"""Text to types: exact for whatever is written plainly, strict for the rest."""

import datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.schema import ColumnType
from drivetrain.store.casting import literal, looks_like, quoted, typed

SQL = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
SQL.execute("SET TimeZone = 'UTC'")


def cast(value, kind):
    shown = (
        f"CAST({typed(literal(value), kind)} AS VARCHAR)"
        if kind is ColumnType.TIMESTAMP
        else typed(literal(value), kind)
    )
    return SQL.execute(f"SELECT {shown}").fetchone()[0]


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back(value):
    assert cast(str(value), ColumnType.INTEGER) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(value):
    assert cast(repr(value), ColumnType.NUMBER) == value


@given(st.dates(datetime.date(1000, 1, 1)))
def test_dates_come_back(value):
    assert cast(value.isoformat(), ColumnType.DATE) == value


@given(st.text())
def test_no_text_breaks_out_of_its_quotes(value):
    value = value.replace("\x00", "")
    assert SQL.execute(f"SELECT {literal(value)} AS {quoted(value or 'x')}").fetchone()[0] == value


@given(st.text(), st.sampled_from([kind for kind in ColumnType if kind is not ColumnType.TEXT]))
def test_no_text_makes_a_cast_fail(value, kind):
    value = value.replace("\x00", "")
    fits = SQL.execute(f"SELECT coalesce({looks_like(literal(value), kind)}, false)").fetchone()[0]
    assert not fits or cast(value, kind) is not None


GOOD = {
    ColumnType.INTEGER: ["7", " +7 ", "7.0", "7."],
    ColumnType.NUMBER: ["7", ".5", "5.", "-1e-3"],
    ColumnType.BOOLEAN: ["TRUE", "t", "Yes", "n", "0", " 1 "],
    ColumnType.DATE: ["2024-02-29", "2024-02-29 00:00:00"],
    ColumnType.TIMESTAMP: ["2024-01-01", "2024-01-01T10:00", "2024-01-01T10:00Z", "2024-01-01 10:00:00.5+0200"],
}
BAD = {
    ColumnType.INTEGER: ["7.5", "7e1", "7_0", "0x7", "", "99999999999999999999", "seven"],
    ColumnType.NUMBER: ["nan", "inf", "1e999", "1,5", "1_0", ".", "0x7", "1 2"],
    ColumnType.BOOLEAN: ["2", "on", "tru", ""],
    ColumnType.DATE: ["2023-02-29", "epoch", "2024-1-1", "2024-01-01 10:00"],
    ColumnType.TIMESTAMP: ["infinity", "10:00", "2024-01-01 25:00"],
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_counts_as_a_value(kind):
    assert [value for value in GOOD[kind] if cast(value, kind) is None] == []
    assert [value for value in BAD[kind] if cast(value, kind) is not None] == []


def test_a_time_without_seconds_is_the_time_it_says():
    assert cast("2024-01-01T10:30+01:00", ColumnType.TIMESTAMP) == "2024-01-01 09:30:00+00"
