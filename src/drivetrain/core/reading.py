"""How documents are read, and what one may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperLimits:
    """What a document may take. ``pixels`` of one picture; ``nested``: mails in mails, elements in elements."""

    bytes: int = 25 * 1024 * 1024
    unpacked_bytes: int = 200 * 1024 * 1024
    pages: int = 300
    characters: int = 2_000_000
    pixels: int = 60_000_000
    nested: int = 8
    attachments: int = 50
    seconds: float = 120.0
    memory_mb: int = 3072


STANDARD = PaperLimits()


@dataclass(frozen=True)
class PaperReading:
    """How documents are read: ``ocr`` looks for letters in pictures, ``masked`` hides personal data where a document is
    described, ``tagger`` is the file of a ``FieldTagger``, empty for none."""

    limits: PaperLimits = STANDARD
    ocr: bool = True
    masked: bool = True
    tagger: bytes = b""


AS_IT_IS = PaperReading()
