"""From the bytes of a document to a Paper, whatever it is."""

from __future__ import annotations

from drivetrain.core.papers import Paper
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.complaints import too_large, without_text
from drivetrain.store.papers.docx import read_docx
from drivetrain.store.papers.html import read_html
from drivetrain.store.papers.mail import read_mail
from drivetrain.store.papers.media import is_picture, media_type
from drivetrain.store.papers.pdf import read_pdf
from drivetrain.store.papers.picture import read_picture
from drivetrain.store.papers.plain import read_plain
from drivetrain.store.papers.scan import Scan, scanned


def read_paper(content: bytes, limits: PaperLimits, *, ocr: bool = True) -> Paper:
    """The document; ``ocr`` looks for letters in pictures, where the extra of that name is installed.

    Raises InvalidInput for what is damaged, locked, of no known kind, beyond a limit or without any text, and
    MissingExtra. What a hostile document does to this process is not known: see ``connect.papers.desk``.
    """
    paper = _read(content, limits, scanned if ocr else None, 0)
    if len(paper.text) > limits.characters:
        raise too_large(f"the document has more than {limits.characters:,} letters")
    if not paper.text.strip():
        raise without_text("; ".join(paper.notes) or "its pages are empty")
    return paper


def _read(content: bytes, limits: PaperLimits, scan: Scan | None, depth: int) -> Paper:
    if len(content) > limits.bytes:
        raise too_large(f"the document has {len(content):,} bytes, more than {limits.bytes:,}")
    kind = media_type(content)
    if is_picture(kind):
        return read_picture(content, kind, limits, scan)
    match kind:
        case "application/pdf":
            return read_pdf(content, limits, scan)
        case "message/rfc822":
            return read_mail(content, limits, depth, lambda inner, deep: _read(inner, limits, scan, deep))
        case "text/html":
            return read_html(content)
        case "text/plain":
            return read_plain(content)
        case _:
            return read_docx(content, limits)
