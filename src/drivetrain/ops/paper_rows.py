"""What is told of a document, in a row: for the lake and for who sends one to a service, the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drivetrain.core.papers import Box, Paper
from drivetrain.ops.field_tagging import FieldTagger
from drivetrain.ops.fields import PERSONAL, Field, fields_of
from drivetrain.ops.language import language_of
from drivetrain.ops.personal_data import mask


@dataclass(frozen=True)
class ToldField:
    """A field as it is told: ``page`` from 1, and the box on it where there is a layout; ``score`` from 0 to 1."""

    kind: str
    value: str
    page: int
    box: Box | None
    score: float


@dataclass(frozen=True)
class PaperRow:
    """The columns of a document, but for where it came from."""

    media_type: str
    title: str | None
    sender: str | None
    written_at: datetime | None
    language: str | None
    pages: int
    text: str
    fields: tuple[ToldField, ...]
    notes: str | None


def row_of(paper: Paper, tagger: FieldTagger | None = None, *, masked: bool = True) -> PaperRow:
    """The row of a document. With ``masked`` no personal data stand in it that ``ops.personal_data`` finds."""
    shown = mask if masked else str
    ruled = fields_of(paper.text)
    found = (*ruled, *(tagger.fields(paper, ruled) if tagger else ()))
    return PaperRow(
        paper.media_type,
        shown(paper.title) or None,
        shown(paper.sender) or None,
        paper.written_at,
        language_of(paper.text),
        len(paper.pages),
        shown(paper.text),
        tuple(_told(paper, field, masked=masked) for field in sorted(found, key=lambda field: field.start)),
        "; ".join(paper.notes) or None,
    )


def _told(paper: Paper, field: Field, *, masked: bool) -> ToldField:
    value = field.value if not masked else f"<{field.kind}>" if field.kind in PERSONAL else mask(field.value)
    page, box = paper.spot(field.start, field.end)
    return ToldField(field.kind, value, page, box, field.score)


def values_of(fields: Sequence[ToldField], kind: str) -> tuple[str, ...]:
    """The values of one kind, in order."""
    return tuple(field.value for field in fields if field.kind == kind)
