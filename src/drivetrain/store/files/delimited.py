"""CSV and its relatives, read as text in blocks: the values are cast later, by the contract."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.sources.written import Written
from drivetrain.store.files.batches import Batch, BrokenRow
from drivetrain.store.files.content import MAX_ROW, Content, check_text, not_utf8, row_too_long
from drivetrain.store.files.listing import plain_name

_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Layout:
    """What stands before the rows of a file: the column names, what parts them, and its length in bytes."""

    names: tuple[str, ...]
    delimiter: str
    size: int


def read_layout(of: Content, written: Written) -> Layout:
    """The layout of CSV, from its start wherever ``of`` stands. A column without a name is ``column_<position>``.

    Without a ``delimiter`` the one of ``, ; tab |`` that stands most often in the first row is taken.
    Raises InvalidInput when the first row cannot name columns.
    """
    name, path = of.name, of.path
    with of.again() as content:
        check_text(content)
        for _ in range(written.skip_lines):
            content.readline(MAX_ROW)
        before, line = content.size, content.readline(MAX_ROW)
        while line.count(b'"') % 2 and len(line) < MAX_ROW and (more := content.readline(MAX_ROW)):
            line += more
    if len(line) >= MAX_ROW:
        raise row_too_long(name)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise not_utf8(name, path) from None
    mark = written.delimiter or _sniff(name, text)
    if written.names:
        check_names(written.names, name)
        mark_of_order = 3 if not before and line.startswith(BOM_UTF8) else 0
        return Layout(written.names, mark, before + mark_of_order)
    try:
        cells = next(csv.reader([text], delimiter=mark), [])
    except csv.Error as error:  # line ends of old Macs, cells of megabytes
        raise InvalidInput(
            "csv_invalid", f"the first row does not name columns: {error}", where=name, hint="correct the file"
        ) from None
    names = tuple(cell.strip() or f"column_{place}" for place, cell in enumerate(cells, start=1))
    check_names(names, name)
    return Layout(names, mark, before + len(line))


def read_delimited(content: Content, layout: Layout, null_values: tuple[str, ...], first: int) -> Iterator[Batch]:
    """The rows from where ``content`` stands, numbered from ``first``.

    A row with too many or too few values is broken. Raises InvalidInput with the file's name for what is not CSV.
    """
    rows, last = _Numbering(first), ""
    try:
        for batch in _open(content, layout, null_values, rows):
            last = _last_row(batch)
            yield rows.batch(content, pa.Table.from_batches([batch]))
    except pa.ArrowInvalid as error:
        raise _explain(error, content, rows.passed) from error
    if rows.waiting:
        last = rows.waiting[-1].text
        yield rows.batch(content, pa.table({name: pa.array([], pa.string()) for name in layout.names}))
    if content.quotes % 2 and "\n" in last:
        raise InvalidInput(
            "quote_open",
            "the last row goes over several lines, and a quote in the file is never closed",
            where=f"{content.name}, after row {rows.passed - 1}",
            hint='close the quote (a quote inside quotes is written twice: "")',
        )


def check_names(names: tuple[str, ...], where: str) -> None:
    """Raise InvalidInput when two columns have one name (case does not count: SQL does not see it)."""
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise InvalidInput(
            "column_twice",
            f"two columns are called {examples(twice)} (upper and lower case do not differ in SQL)",
            where=where,
            hint="rename one in the file",
        )
    if any(name.lower().startswith("drivetrain_") for name in names):
        raise InvalidInput(
            "column_reserved", "a column's name starts with drivetrain_", where=where, hint="rename it in the file"
        )


class _Numbering:
    """Tells each row its number although broken rows are reported on the side, ahead of the batch they stand in."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.passed = first - 1
        self.waiting: list[BrokenRow] = []

    def note(self, row: pc.InvalidRow) -> str:
        reason = f"the row has {row.actual_columns} values for {row.expected_columns} columns"
        self.waiting.append(BrokenRow(self.first - 1 + row.number, row.text, reason))
        return "skip"

    def batch(self, content: Content, rows: pa.Table) -> Batch:
        taken = np.array([row.number for row in self.waiting], dtype=np.int64)
        ahead = np.arange(self.passed + 1, self.passed + 1 + rows.num_rows + len(taken), dtype=np.int64)
        numbers = np.setdiff1d(ahead, taken, assume_unique=True)[: rows.num_rows]
        self.passed = int(numbers[-1]) if len(numbers) else self.passed
        broken = tuple(row for row in self.waiting if row.number < self.passed or not len(numbers))
        self.waiting = self.waiting[len(broken) :]
        return Batch(content.name, rows, pa.array(numbers), broken, done=content.at_rest)


def _open(content: Content, layout: Layout, null_values: tuple[str, ...], rows: _Numbering) -> Iterator[pa.RecordBatch]:
    try:
        yield from pc.open_csv(
            content,
            # Only a single thread tells the numbers of broken rows.
            read_options=pc.ReadOptions(use_threads=False, block_size=MAX_ROW, column_names=list(layout.names)),
            parse_options=pc.ParseOptions(
                delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=rows.note
            ),
            convert_options=pc.ConvertOptions(
                column_types={name: pa.string() for name in layout.names},
                null_values=list(null_values),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):  # a header without rows
            raise


def _last_row(batch: pa.RecordBatch) -> str:
    return "".join(str(column[-1].as_py()) for column in batch.columns) if batch.num_rows else ""


def _sniff(name: str, header: str) -> str:
    if plain_name(name).lower().endswith((".tsv", ".tab")):
        return "\t"
    return max(_DELIMITERS, key=header.count)


def _explain(error: pa.ArrowInvalid, content: Content, passed: int) -> InvalidInput:
    message = str(error).splitlines()[0]
    if "invalid UTF8" in message:
        return not_utf8(content.name, content.path)
    where = f"{content.name}, after row {passed}"
    if "straddling object" in message:
        return row_too_long(where)
    return InvalidInput("csv_invalid", f"not readable as CSV: {message}", where=where, hint="correct the file")
