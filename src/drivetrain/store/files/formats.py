"""The formats of files behind one door: which one a file has, whether it can grow, and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.written import FileFormat, Written
from drivetrain.store.files.arrow import read_arrow
from drivetrain.store.files.avro import read_avro
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content
from drivetrain.store.files.delimited import read_delimited, read_layout
from drivetrain.store.files.excel import read_excel
from drivetrain.store.files.fixed import read_fixed
from drivetrain.store.files.json_lines import check_json_lines, read_json_lines
from drivetrain.store.files.listing import format_by_name
from drivetrain.store.files.parquet import read_parquet
from drivetrain.store.files.xml import read_xml

_MARKS: dict[bytes, FileFormat] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"Obj\x01": "avro"}
_LINES: frozenset[FileFormat] = frozenset({"csv", "jsonl"})


def open_content(name: str, path: Path, written: Written) -> tuple[Content, FileFormat]:
    """The file, opened at its start, and its format; text is made UTF-8.

    Raises NotFound and InvalidInput, also when neither first bytes nor name tell the format.
    """
    content = Content(name, path)
    try:
        kind = _format(content, written.format)
        if has_lines(kind, written):
            content.decode(written.encoding, written.comment if kind == "csv" else None)
    except BaseException:
        content.close()
        raise
    return content, kind


def can_grow(kind: FileFormat) -> bool:
    """Whether rows may be added at the end of such a file."""
    return kind in _LINES or kind in ("avro", "fixed")


def has_lines(kind: FileFormat, written: Written) -> bool:
    """Whether a row is a line, so that one without a line end may go on."""
    return kind in _LINES or (kind == "fixed" and written.layout is not None and written.layout.line_ends)


def read_rows(content: Content, kind: FileFormat, written: Written, first: int = 1) -> Iterator[Batch]:
    """The rows from where ``content`` stands, numbered from ``first``.

    Raises InvalidInput with the file's name for what is not of the format, MissingExtra for a library it needs.
    """
    match kind:
        case "parquet":
            return read_parquet(content)
        case "arrow":
            return read_arrow(content)
        case "avro":
            return read_avro(content, first)
        case "xml":
            return read_xml(content, written)
        case "excel":
            return read_excel(content, written)
        case "fixed":
            return read_fixed(content, written, first)
        case "jsonl":
            if not content.size:
                check_json_lines(content)
            return read_json_lines(content, written.null_values, first)
        case _:
            layout = read_layout(content, written)
            if not content.size:
                content.skip(layout.size)
            return read_delimited(content, layout, written.null_values, first)


def _format(content: Content, wanted: FileFormat) -> FileFormat:
    if wanted != "auto":
        return wanted
    head = content.peek(8)
    by_mark = next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), None)
    found = by_mark or format_by_name(content.plain_name)
    if found is None:
        raise InvalidInput(
            "format_unknown",
            "the file's name does not tell its format",
            where=content.name,
            hint="set `format: csv`, `jsonl`, `parquet`, `arrow`, `avro`, `xml`, `excel` or `fixed` on the source",
        )
    return found
