"""Rows for spreadsheets: what they hold, and that no text becomes a formula."""

import csv
import io
from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from drivetrain.core.errors import InvalidInput
from drivetrain.store.files.spreadsheet import to_csv, to_xlsx

ROWS = pa.table(
    {
        "item": ["=1+1", "@sum", "bag, red", None],
        "day": [date(2026, 1, 2)] * 4,
        "made_at": [datetime(2026, 1, 2, 3, 4)] * 4,
        "sold": [-1.5, 2.0, None, 4.0],
    }
)


def test_csv_keeps_numbers_and_days_and_defuses_texts():
    lines = list(csv.reader(io.StringIO(to_csv(ROWS).decode())))
    assert lines[0] == ["item", "day", "made_at", "sold"]
    assert lines[1] == ["'=1+1", "2026-01-02", "2026-01-02T03:04:00", "-1.5"]
    assert [line[0] for line in lines[2:]] == ["'@sum", "bag, red", ""]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12))
def test_no_text_begins_a_formula(text):
    (_, line) = csv.reader(
        io.StringIO(
            to_csv(
                pa.table(
                    {
                        "text": [
                            text,
                        ]
                    }
                )
            ).decode()
        )
    )
    assert not "".join(line).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_workbook_holds_texts_as_texts_and_numbers_as_numbers():
    sheet = (
        CalamineWorkbook.from_filelike(io.BytesIO(to_xlsx({"demand": ROWS, "again": ROWS})))
        .get_sheet_by_name("demand")
        .to_python()
    )
    assert sheet[1][0] == "=1+1"
    assert sheet[1][1] == date(2026, 1, 2)
    assert [row[3] for row in sheet[1:]] == [-1.5, 2.0, "", 4.0]


def test_more_rows_than_a_sheet_takes_are_refused():
    with pytest.raises(InvalidInput, match="a sheet takes 1,048,575 rows"):
        to_xlsx({"too long": pa.table({"n": range(1_048_576)})})
