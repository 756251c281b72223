"""Documents made for tests: PDF, Word and e-mail, written byte by byte."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from typing import NamedTuple
from xml.sax.saxutils import escape

A4 = (595, 842)


class At(NamedTuple):
    """A piece of text on a page, from its upper left corner in points."""

    x: float
    y: float
    text: str
    size: float = 10


def pdf(*pages: Sequence[At], title: str = "", author: str = "", extra: str = "", size=A4) -> bytes:
    """A PDF in Helvetica; ``extra`` goes into the dictionary of each page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    objects.append(f"<< /Title ({title}) /Author ({author}) /CreationDate (D:20240305101500+01'00') >>")
    kids = []
    for page in pages:
        lines = [f"BT /F1 {at.size} Tf {at.x} {size[1] - at.y - at.size} Td ({_escaped(at.text)}) Tj ET" for at in page]
        stream = "\n".join(lines)
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents {len(objects)} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {extra} >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}".encode("cp1252")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def scan(content: bytes, scale: float = 2.0):
    """The pages of a PDF as pictures."""
    import pypdfium2

    document = pypdfium2.PdfDocument(content)
    pictures = [page.render(scale=scale).to_pil().convert("L") for page in document]
    document.close()
    return pictures


def picture(content: bytes, kind: str = "PNG", scale: float = 2.0) -> bytes:
    """A PDF as a picture, or as a PDF or TIFF of pictures."""
    first, *rest = scan(content, scale)
    file = io.BytesIO()
    several = {"save_all": True, "append_images": rest} if kind in ("PDF", "TIFF") else {}
    first.save(file, kind, **several)
    return file.getvalue()


def docx(*paragraphs: str, table: Sequence[Sequence[str]] = (), header: str = "", body: str | None = None) -> bytes:
    """A Word document; ``body`` is its XML instead of paragraphs."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    inside = "".join(map(_paragraph, paragraphs))
    rows = ("".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in row) for row in table)
    inside += f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>" if table else ""
    core = (
        '<cp:coreProperties xmlns:cp="c" xmlns:dc="d" xmlns:dcterms="t"><dc:title>A letter</dc:title>'
        "<dc:creator>Erika Muster</dc:creator><dcterms:created>2024-03-05T09:00:00Z</dcterms:created>"
        "</cp:coreProperties>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        whole = f"<w:document {space}><w:body>{inside}</w:body></w:document>" if body is None else body
        archive.writestr("word/document.xml", f'<?xml version="1.0"?>{whole}')
        archive.writestr("docProps/core.xml", core)
        if header:
            archive.writestr("word/header1.xml", f"<w:hdr {space}>{_paragraph(header)}</w:hdr>")
    return file.getvalue()


def _paragraph(text: str) -> str:
    runs = "<w:tab/>".join(f"<w:t>{escape(piece)}</w:t>" for piece in text.split("\t"))
    return f"<w:p><w:r>{runs}</w:r></w:p>"


def mail(text: str, *, html: str = "", attached: Sequence[tuple[str, str, bytes]] = (), **headers: str) -> bytes:
    """An e-mail; ``attached`` are (name, media type, content)."""
    message = EmailMessage()
    told = {
        "from": "Anna Muster <anna@example.com>",
        "subject": "Rechnung für März",
        "date": "Tue, 05 Mar 2024 10:15:00 +0100",
    }
    for name, value in (told | headers).items():
        message[name] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, kind, content in attached:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()
