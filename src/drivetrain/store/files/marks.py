"""What a file is that is none of the formats that hold text, by its first bytes. Loads no data library."""

from __future__ import annotations

from collections.abc import Mapping

ZIP = b"PK\x03\x04"
_FOREIGN: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    ZIP: "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"SQLite format 3": "a SQLite database",
    b"PAR1": "a Parquet file",
    b"\x7fELF": "a program",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file",
}


def foreign(head: bytes) -> str | None:
    """What a file with these first bytes is, when it is none of the formats that hold text."""
    known = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if known or b"\x00" not in head:
        return known
    return "UTF-16 text without a mark" if head.count(0) * 3 > len(head) and _is_text(head) else "binary data"


def _is_text(head: bytes) -> bool:
    """Whether every second byte is zero, and the others are none."""
    return not any(head[1::2]) or not any(head[::2])
