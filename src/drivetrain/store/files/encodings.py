"""Text in other encodings becomes UTF-8 while it is read, so that every format of text knows one encoding only."""

from __future__ import annotations

import codecs
import re
from typing import Protocol

from drivetrain.core.errors import InvalidInput

_CHUNK = 1024 * 1024
# The longer marks first: UTF-32 begins like UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_GUESSES = ("cp1252", "latin-1")


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


class Utf8:
    """Bytes in another encoding, read as UTF-8."""

    def __init__(self, ahead: bytes, rest: Source, encoding: str, name: str) -> None:
        self._ahead, self._rest, self._encoding, self._name = ahead, rest, encoding, name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._text = b""

    def read(self, size: int) -> bytes:
        """The next bytes of UTF-8. Raises InvalidInput where the bytes are not in the encoding."""
        while not self._text:
            raw, self._ahead = self._ahead or self._rest.read(_CHUNK), b""
            try:
                self._text = self._decoder.decode(raw, final=not raw).encode()
            except UnicodeError as error:
                raise InvalidInput(
                    "encoding_wrong",
                    f"the text is not {self._encoding}: {error}",
                    where=self._name,
                    hint="correct `encoding`, or remove it to have it found",
                ) from None
            if not raw:
                break
        part, self._text = self._text[:size], self._text[size:]
        return part


class WithoutComments:
    """Text without the lines that begin with a sign."""

    def __init__(self, ahead: bytes, rest: Source, comment: str) -> None:
        self._line, self._rest, self._text = ahead, rest, b""
        self._comment = re.compile(rb"^(?:\xef\xbb\xbf)?" + re.escape(comment.encode()) + rb".*\n?", re.MULTILINE)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        while not self._text:
            raw = self._rest.read(_CHUNK)
            lines, end, rest = (self._line + raw).rpartition(b"\n")
            lines, self._line = (lines + end, rest) if raw else (self._line, b"")
            self._text = self._comment.sub(b"", lines)
            if not raw:
                break
        part, self._text = self._text[:size], self._text[size:]
        return part


def marked(head: bytes) -> str | None:
    """The encoding other than UTF-8 that the mark at the beginning of a text tells."""
    return next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)


def is_utf8(encoding: str) -> bool:
    """Whether nothing needs to be done for it."""
    return encoding == "auto" or codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def guess(line: bytes) -> str:
    """What to try for a line that is not UTF-8, with the letters that would come of it."""
    for encoding in _GUESSES:
        try:
            letters = dict.fromkeys(letter for letter in line.decode(encoding) if not letter.isascii())
        except UnicodeDecodeError:
            continue
        return f"try `encoding: {encoding}` (it gives the letters {' '.join(list(letters)[:5])})"
    return "name its `encoding`"
