"""Plain text."""

from __future__ import annotations

import re

from drivetrain.core.papers import Page, Paper
from drivetrain.store.papers.layout import plain_blocks

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\u200b\u00ad]")


def read_plain(content: bytes) -> Paper:
    """A text; a form feed begins a page."""
    return Paper("text/plain", pages_of(decoded(content)))


def decoded(content: bytes, encoding: str | None = None) -> str:
    """Bytes as text: by their mark, as ``encoding`` or as UTF-8, else as Windows-1252, which fits anything."""
    for mark, named in _BOMS:
        if content.startswith(mark):
            return content.decode(named, errors="replace")
    for known in (encoding or "utf-8", "utf-8"):
        try:
            return content.decode(known)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("cp1252", errors="replace")


def pages_of(text: str, part: str = "") -> tuple[Page, ...]:
    """The pages of a text whose lines have cells parted by tabs; at least one, perhaps empty."""
    return tuple(Page(plain_blocks(_UNSEEN.sub("", page)), part=part) for page in text.split("\f"))
