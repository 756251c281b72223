"""Rows as a file that people open in a spreadsheet: CSV, or an Excel workbook. A text never becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date, datetime

import pyarrow as pa

from drivetrain.core.errors import InvalidInput, MissingExtra

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""
Cell = str | int | float | bool | date | datetime | None


def to_csv(rows: pa.Table) -> bytes:
    """The rows as CSV in UTF-8 with a header, lines ending as RFC 4180 has them; missing values are empty.

    A text that a spreadsheet would calculate has an apostrophe before it.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([_plain(name) for name in rows.column_names])
    for cells in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        writer.writerow([_plain(cell) for cell in cells])
    return file.getvalue().encode()


def to_xlsx(sheets: Mapping[str, pa.Table]) -> bytes:
    """A workbook with these sheets: texts as texts, whatever they begin with, numbers and days as those.

    Raises MissingExtra, and InvalidInput for more rows than a sheet takes.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtra("xlsxwriter", "formats") from error
    rows = max(table.num_rows for table in sheets.values())
    if rows >= _MOST_ROWS:
        raise InvalidInput(
            "sheet_too_long", f"a sheet takes {_MOST_ROWS - 1:,} rows, not {rows:,}", hint="export as .csv"
        )
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "remove_timezone": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for sheet, table in sheets.items():
            page = book.add_worksheet(sheet)
            for at, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
                page.write_string(0, at, name)
                for row, cell in enumerate(column.to_pylist(), start=1):
                    if isinstance(cell, str):
                        page.write_string(row, at, cell)
                    elif isinstance(cell, date):
                        page.write_datetime(row, at, cell, day)
                    elif cell is not None:
                        page.write_number(row, at, cell)
            page.freeze_panes(1, 0)
    return file.getvalue()


_MOST_ROWS = 1_048_576


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell.isoformat() if isinstance(cell, datetime) else cell
