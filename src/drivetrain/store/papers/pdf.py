"""PDF: the text that lies in it, with its boxes; pages that are only pictures are scanned. By PDFium (pypdfium2)."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from drivetrain.core.errors import MissingExtra
from drivetrain.core.papers import Box, Page, Paper
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.complaints import locked, too_large, unreadable
from drivetrain.store.papers.layout import Placed, placed_blocks
from drivetrain.store.papers.scan import LONGEST_SIDE, Scan, shrunk

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

_WHAT = "PDF"
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")
_NOT_LETTERS = frozenset({0, 0xFFFE, 0xFFFF, 0xAD})
_FINE = 100_000
_HYPHEN = 2  # what PDFium gives for a hyphen at the end of a line


def read_pdf(content: bytes, limits: PaperLimits, scan: Scan | None) -> Paper:
    """The text of all pages. ``scan`` reads those that are pictures; without it a note tells of them.

    Raises InvalidInput when it is damaged, locked or beyond the limits, MissingExtra without the extra documents.
    """
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtra("pypdfium2", "documents") from None
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise locked(_WHAT) if "password" in str(error).lower() else unreadable(_WHAT, error) from error
    with closing(document):
        if len(document) > limits.pages:
            raise too_large(f"the PDF has {len(document):,} pages, more than {limits.pages:,}")
        pages, notes, letters = [], [], 0
        for number in range(len(document)):
            try:
                page, note = _page(document, number, scan)
            except pypdfium2.PdfiumError as error:
                page, note = Page(()), f"page {number + 1} is damaged: {error}"
            letters += len(page.text)
            if letters > limits.characters:
                raise too_large(f"the PDF has more than {limits.characters:,} letters")
            pages.append(page)
            notes += [note] if note else []
        told = document.get_metadata_dict()
        written = _moment(told.get("ModDate") or told.get("CreationDate") or "")
        return Paper(
            "application/pdf", tuple(pages), told.get("Title", ""), told.get("Author", ""), written, tuple(notes)
        )


def _page(document: PdfDocument, number: int, scan: Scan | None) -> tuple[Page, str]:
    with closing(document[number]) as page:
        width, height = page.get_size()
        with closing(page.get_textpage()) as text:
            words = list(_words(page, text))
        note = ""
        if not words and _has_picture(page):
            if scan is None:
                note = f"page {number + 1} is a picture, and nobody looked for letters in it"
            else:
                words = _scanned(page, scan)
        return Page(placed_blocks(words), width, height), note


def _has_picture(page: PdfPage) -> bool:
    from pypdfium2 import raw

    kinds = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING)
    return next(iter(page.get_objects(filter=kinds, max_depth=4)), None) is not None


def _scanned(page: PdfPage, scan: Scan) -> list[Placed]:
    longest = max(page.get_size())
    scale = LONGEST_SIDE / longest
    bitmap = page.render(scale=scale, rev_byteorder=False, prefer_bgrx=False)
    with closing(bitmap):
        found = scan(bitmap.to_numpy()[:, :, :3].copy())
    return [shrunk(word, 1 / scale) for word in found]


def _words(page: PdfPage, text: PdfTextPage) -> Iterator[Placed]:
    """The words where they are seen: the page may be turned, or show a part only."""
    from pypdfium2 import raw

    letters: list[str] = []
    box: Box | None = None
    for at in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text, at)
        sign = "-" if code == _HYPHEN else chr(code) if code not in _NOT_LETTERS and code < 0x110000 else ""
        if sign.isspace() or (not sign and code == 0):
            if letters and box is not None:
                yield Placed("".join(letters), _seen(page, box))
            letters, box = [], None
        elif sign and not 0xD800 <= code < 0xE000:
            letters.append(sign)
            here = Box(*text.get_charbox(at, loose=True))
            box = here if box is None else box.around(here)
    if letters and box is not None:
        yield Placed("".join(letters), _seen(page, box))


def _seen(page: PdfPage, box: Box) -> Box:
    """A box of PDFium (left, bottom, right, top; of the unturned page) as it is seen, from the upper left corner."""
    from pypdfium2 import raw

    width, height = page.get_size()
    corners = []
    for x, y in ((box.left, box.top), (box.right, box.bottom)):
        across, down = ctypes.c_int(), ctypes.c_int()
        size = (0, 0, _FINE, _FINE, 0)  # as if the page were drawn on so many dots
        raw.FPDF_PageToDevice(page, *size, x, y, ctypes.byref(across), ctypes.byref(down))
        corners.append((across.value * width / _FINE, down.value * height / _FINE))
    (left, top), (right, bottom) = corners
    return Box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))


def _moment(text: str) -> datetime | None:
    """``D:20240305101500+01'00'`` (ISO 32000, 7.9.4)."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, _, sign, hours, minutes = found.groups()
    try:
        zone = (
            timezone(timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1))
            if hours
            else UTC
        )
        return datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None
