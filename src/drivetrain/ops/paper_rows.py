"""What is told of a document, in a row: for the lake and for who sends one to a service, the same."""

from __future__ import annotations

from drivetrain.core.papers import Paper, PaperRow, ToldField
from drivetrain.ops.field_tagging import FieldTagger
from drivetrain.ops.fields import PERSONAL, Field, fields_of
from drivetrain.ops.language import language_of
from drivetrain.ops.personal_data import mask


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
