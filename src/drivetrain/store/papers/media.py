"""What a document is, by its first bytes. What its name or its sender says of it counts for nothing."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from typing import Final, Literal, get_args

from drivetrain.store.files.marks import foreign
from drivetrain.store.papers.complaints import unknown, unreadable

DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MediaType = Literal[
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "message/rfc822",
    "text/html",
    "text/plain",
    "image/png",
    "image/jpeg",
    "image/tiff",
    "image/gif",
    "image/bmp",
    "image/webp",
]
_MARKS: dict[bytes, MediaType] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_MAIL = re.compile(
    rb"(?:From [^\n]{1,200}\n)?(?:from|to|cc|date|subject|received|return-path|delivered-to|message-id|mime-version|"
    rb"reply-to|sender|content-type|x-[a-z0-9-]{1,60}|dkim-signature|authentication-results)[ \t]*:",
    re.IGNORECASE,
)
_HEADERS = re.compile(rb"^(?:from|date|subject|received|message-id|mime-version)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HEAD = 8192


MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)


def media_type(content: bytes) -> MediaType:
    """The kind of a document. Raises InvalidInput for an empty one, and for one that nothing here reads."""
    if not content.strip(b"\0 \t\r\n"):
        raise unreadable("document", "it is empty")
    head = content[:_HEAD]
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    for mark, kind in _MARKS.items():
        if head.startswith(mark) and (kind != "image/bmp" or head[6:10] == b"\0\0\0\0"):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _packed(content)
    return _text(head)


def _packed(content: bytes) -> MediaType:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise unreadable("Word document", error) from error
    if "word/document.xml" not in names:
        raise unknown("a ZIP archive, a workbook or slides")
    return DOCX


def _text(head: bytes) -> MediaType:
    if head.startswith(b"{\\rtf"):
        raise unknown("rich text (RTF)")
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _MAIL.match(plain) and len(_HEADERS.findall(plain.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0])) > 1:
        return "message/rfc822"
    if _HTML.search(plain[:2048]):
        return "text/html"
    what = None if head.startswith((b"\xff\xfe", b"\xfe\xff")) else foreign(head)
    if what is not None:
        raise unknown(what)
    return "text/plain"


def is_picture(kind: str) -> bool:
    """Whether a document of this kind is a picture."""
    return kind.startswith("image/")
