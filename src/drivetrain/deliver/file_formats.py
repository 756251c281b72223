"""Rows as the bytes of a file: CSV, JSON lines, Parquet, records of fixed width."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.deliver.json_rows import as_json, as_text

_END = {"lf": "\n", "crlf": "\r\n"}
Cells = Sequence[object]


def content_of(spec: FilesOutlet, rows: pa.Table) -> tuple[bytes, list[str]]:
    """The file, and for each row why it is not in it; empty for those that are."""
    if spec.format == "parquet":
        file = io.BytesIO()
        pq.write_table(rows, file, compression="zstd")
        return file.getvalue(), [""] * rows.num_rows
    if spec.format == "jsonl":
        return b"".join(as_json(row) + b"\n" for row in rows.to_pylist()), [""] * rows.num_rows
    if spec.format == "csv":
        head = _csv_line(spec, rows.column_names) if spec.header else b""
        return _lines(rows, head, lambda cells: _csv_line(spec, cells))
    numbers = [_is_number(rows.schema.field(name).type) for name in spec.widths]
    chosen = rows.select(list(spec.widths))
    return _lines(chosen, b"", lambda cells: _record(spec, cells, numbers))


def _lines(rows: pa.Table, head: bytes, line: Callable[[Cells], bytes]) -> tuple[bytes, list[str]]:
    written, reasons = [head], list[str]()
    for cells in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        try:
            written.append(line(cells))
            reasons.append("")
        except UnicodeEncodeError as error:
            sign = error.object[error.start : error.start + 1]
            reasons.append(f"{sign!r} is no sign of {error.encoding}")
        except ValueError as error:
            reasons.append(str(error))
    return b"".join(written), reasons


def _csv_line(spec: FilesOutlet, cells: Cells) -> bytes:
    file = io.StringIO()
    csv.writer(file, delimiter=spec.delimiter, lineterminator=_END[spec.line_end]).writerow(map(as_text, cells))
    return file.getvalue().encode(spec.encoding)


def _record(spec: FilesOutlet, cells: Cells, numbers: Sequence[bool]) -> bytes:
    """Numbers stand at the right end of their places, everything else at the left."""
    places = []
    for (name, width), cell, number in zip(spec.widths.items(), cells, numbers, strict=True):
        text = as_text(cell)
        if len(text) > width:
            raise ValueError(f"{name} takes {width} places, and the value {len(text)}")
        if "\n" in text or "\r" in text:
            raise ValueError(f"{name} holds a line end")
        places.append(text.rjust(width) if number else text.ljust(width))
    return ("".join(places) + _END[spec.line_end]).encode(spec.encoding)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
