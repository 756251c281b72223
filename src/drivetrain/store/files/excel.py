"""A sheet of a workbook: Excel (xlsx, xlsm, xlsb, xls) or OpenDocument (ods)."""

from __future__ import annotations

import datetime
import os
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from drivetrain.core.errors import InvalidInput, MissingExtra, NotFound, examples
from drivetrain.core.sources.written import Written
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content, random_access
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.marks import foreign
from drivetrain.store.files.text_rows import TextRows

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

Cell = str | int | float | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta
# A sheet is in memory as a whole, with all cells between those that hold anything.
_LARGEST, _MOST_CELLS = 512 * 1024 * 1024, 20_000_000  # bytes, unpacked
_CHUNK = 1024 * 1024
_COLUMN, _ROW = re.compile(rb'<c [^>]*?r="([A-Z]{1,3})\d'), re.compile(rb'<row [^>]*?r="(\d{1,7})"')


def read_excel(content: Content, written: Written) -> Iterator[Batch]:
    """The rows below the row that names the columns, numbered from 1; empty ones are passed over.

    A row with a value right of the last column is broken. Formulas count by their last result, errors are missing.
    Raises InvalidInput with the file's name for what is no workbook, NotFound for a sheet that is not there,
    MissingExtra without python-calamine.
    """
    with random_access(content) as file:
        cells = _sheet(file, content, written.sheet).iter_rows()
        names = _names(next(islice(cells, written.header_row - 1, None), []), content.name)
        rows, missing = TextRows(content, 1, names=names), frozenset(written.null_values)
        for row in cells:
            values = [_text(cell, missing) for cell in row]
            if not any(value is not None for value in values):
                rows.skip()
            elif any(value is not None for value in values[len(names) :]):
                text = "\t".join(value or "" for value in values)
                rows.broken(text, f"there is a value right of the last of {len(names)} columns")
            else:
                rows.add(dict(zip(names, values, strict=False)))
            if rows.is_full:
                yield rows.take()
        if not rows.is_empty:
            yield rows.take()


def _sheet(file: BinaryIO, content: Content, wanted: str | None) -> CalamineSheet:
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError
    except ImportError:
        raise MissingExtra("python-calamine", "formats") from None
    try:
        _check_size(file, content.name)
        workbook = CalamineWorkbook.from_filelike(file)
        if wanted is not None and wanted not in workbook.sheet_names:
            raise NotFound(
                "sheet_unknown",
                f"the workbook has no sheet {wanted!r}",
                where=content.name,
                hint=f"correct `sheet`; it has {examples(workbook.sheet_names, 20)}",
            )
        return workbook.get_sheet_by_index(0) if wanted is None else workbook.get_sheet_by_name(wanted)
    except PasswordError as error:
        raise _invalid(content.name, "it is locked with a password", "save it without") from error
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        with content.again() as start:
            head = start.peek(16)
        what = foreign(head) if not head.startswith((b"PK", b"\xd0\xcf")) else None
        why = f"this is {what or 'a damaged one, or none'} ({error})"
        raise _invalid(content.name, why, "save it as .xlsx or CSV, or fetch it again") from error


def _check_size(file: BinaryIO, name: str) -> None:
    """Raise for a workbook that would fill the memory: by what its parts say of their sizes, once they prove true."""
    size = file.seek(0, os.SEEK_END)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
            most = max((_cells(archive, member) for member in archive.infolist() if size <= _LARGEST), default=0)
        if most > _MOST_CELLS:
            why = f"a sheet reaches over {most:,} cells, more than {_MOST_CELLS:,}"
            raise _invalid(name, why, "delete a value that stands far below or right of the table; or save it as CSV")
    if size > _LARGEST:
        raise _invalid(name, f"it has {size:,} bytes unpacked, more than {_LARGEST:,}", "save the sheet as CSV")
    file.seek(0)


def _cells(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """How many cells a sheet reaches over. Raises BadZipFile for a part whose bytes are not what it says of them."""
    columns, row, rest = {b"A"}, 1, b""
    with archive.open(member) as part:
        while chunk := part.read(_CHUNK):
            if member.filename.startswith("xl/worksheets/"):
                text = rest + chunk
                columns.update(_COLUMN.findall(text))
                row = max([row, *map(int, _ROW.findall(text))])
                rest = text[text.rfind(b"<") :]
    width = 0
    for letter in max(columns, key=lambda column: (len(column), column)):
        width = width * 26 + letter - 64  # A is 65
    return row * width


def _names(head: list[Cell], where: str) -> tuple[str, ...]:
    cells = [(_text(cell, frozenset()) or "").strip() for cell in head]
    while cells and not cells[-1]:
        cells.pop()
    if not cells:
        raise _invalid(where, "no row names the columns", "set `header_row` to the one that does, or `sheet`")
    names = tuple(cell or f"column_{place}" for place, cell in enumerate(cells, start=1))
    check_names(names, where)
    return names


def _text(cell: Cell, missing: frozenset[str]) -> str | None:
    if isinstance(cell, str):
        return None if not cell or cell in missing else cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    return cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell)


def _invalid(where: str, why: str, cure: str) -> InvalidInput:
    return InvalidInput("excel_invalid", f"the workbook cannot be read: {why}", where=where, hint=cure)
