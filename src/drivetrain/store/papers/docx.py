"""Word documents (.docx): an archive of XML. A part with a document type is refused, and with it every entity."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import NoReturn
from xml.parsers import expat

from drivetrain.core.papers import Paper
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.complaints import locked, too_large, unreadable
from drivetrain.store.papers.media import DOCX
from drivetrain.store.papers.plain import pages_of

_WHAT = "Word document"
_CHUNK = 65_536
_DEEPEST = 256
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read_docx(content: bytes, limits: PaperLimits) -> Paper:
    """The text with headers before and footers behind it; cells of a table side by side. Its pages are not known.

    Raises InvalidInput when it is damaged, locked, or more than the limits unpacked.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            unpacking = _Unpacking(archive, limits.unpacked_bytes)
            names = sorted(name for name in archive.namelist() if name.startswith("word/") and name.endswith(".xml"))
            wanted = [
                *(name for name in names if name.startswith("word/header")),
                "word/document.xml",
                *(name for name in names if name.startswith(("word/footnotes", "word/footer"))),
            ]
            text = "\n".join(_text(unpacking, name, limits) for name in wanted)
            told = _Told(unpacking) if "docProps/core.xml" in archive.namelist() else None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, ValueError) as error:
        raise unreadable(_WHAT, error) from error
    except RuntimeError as error:  # so zipfile says that a part is encrypted
        raise locked(_WHAT) from error
    except expat.ExpatError as error:
        raise unreadable(_WHAT, error) from error
    pages = pages_of(text)
    return Paper(DOCX, pages, told.title, told.sender, told.written_at) if told else Paper(DOCX, pages)


class _Unpacking:
    """Reads the parts of an archive, and counts what comes out: what it says of its sizes may be a lie."""

    def __init__(self, archive: zipfile.ZipFile, most: int) -> None:
        self._archive, self._left = archive, most

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._archive.open(name) as part:
            while chunk := part.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise too_large("the Word document is too large once it is unpacked")
                yield chunk


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> NoReturn:
        raise unreadable(_WHAT, "it has a document type (DTD), which can do harm")

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _text(unpacking: _Unpacking, name: str, limits: PaperLimits) -> str:
    parser, body = _parser(), _Body(limits.characters)
    parser.StartElementHandler = lambda tag, _: body.started(tag.rpartition(" ")[2])
    parser.EndElementHandler = lambda tag: body.ended(tag.rpartition(" ")[2])
    parser.CharacterDataHandler = body.letters
    for chunk in unpacking.chunks(name):
        parser.Parse(chunk, False)
    parser.Parse(b"", True)
    return "".join(body.pieces)


class _Body:
    """Collects the text of a part. What stands twice, for older readers of a text box, is taken once."""

    def __init__(self, most: int) -> None:
        self.pieces: list[str] = []
        self._most, self._deep, self._cells = most, 0, 0
        self._in_letters = False
        self._twice_from = 0

    def started(self, tag: str) -> None:
        self._deep += 1
        if self._deep > _DEEPEST:
            raise too_large(f"elements of the Word document lie deeper than {_DEEPEST}")
        self._in_letters = tag == "t" and not self._twice_from
        if tag == "Fallback" and not self._twice_from:
            self._twice_from = self._deep
        self._cells += tag == "tc"
        if tag in _SIGNS:
            self.pieces.append(_SIGNS[tag])

    def ended(self, tag: str) -> None:
        self._in_letters = False
        if self._deep == self._twice_from:
            self._twice_from = 0
        self._deep -= 1
        self._cells -= tag == "tc"
        if tag == "tc":
            self.pieces.append("\t")
        elif tag == "tr" or (tag == "p" and not self._cells):
            self.pieces.append("\n")
        elif tag == "p":
            self.pieces.append(" ")

    def letters(self, text: str) -> None:
        if not self._in_letters:
            return
        self._most -= len(text)
        if self._most < 0:
            raise too_large("the Word document has more letters than are read")
        self.pieces.append(text)


class _Told:
    """What the document says of itself."""

    def __init__(self, unpacking: _Unpacking) -> None:
        found: dict[str, str] = {}
        tags: list[str] = []
        parser = _parser()
        parser.StartElementHandler = lambda tag, _: tags.append(tag.rpartition(" ")[2])
        parser.EndElementHandler = lambda _: tags.pop()

        def letters(text: str) -> None:
            if len(tags) == 2 and len(found.get(tags[1], "")) < 1000:
                found[tags[1]] = found.get(tags[1], "") + text

        parser.CharacterDataHandler = letters
        for chunk in unpacking.chunks("docProps/core.xml"):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
        self.title, self.sender = found.get("title", "").strip(), found.get("creator", "").strip()
        self.written_at = _moment(found.get("modified") or found.get("created", ""))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
