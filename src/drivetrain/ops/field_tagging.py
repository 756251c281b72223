"""Fields that only their place tells, such as which amount is the total: a tagger learned them from examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivetrain.core.papers import Paper
from drivetrain.ops.fields import Field, fields_of
from drivetrain.ops.paper_marks import PaperMarks, Token
from drivetrain.ops.tagger import NONE, Marked, Tagger, learn

Example = tuple[Paper, Mapping[str, str]]
"""A document, and by kind of field what stands in it, as it is written there."""


@dataclass(frozen=True, eq=False)
class FieldTagger:
    """Finds fields of the kinds that it learned."""

    tagger: Tagger

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of fields that it knows."""
        return tuple(sorted({label[2:] for label in self.tagger.labels if label != NONE}))

    def fields(self, paper: Paper, ruled: Sequence[Field]) -> tuple[Field, ...]:
        """The surest field of each kind. A date or an amount has the value that the rules (``ruled``) gave it.

        ``score`` is how far ahead of every other reading the weakest word of the field is, squeezed into 0.5 to 1: more
        is surer, but it is not a probability.
        """
        marks = PaperMarks(paper, ruled)
        labels, margins = self.tagger.tag(marks.seen())
        best: dict[str, Field] = {}
        for kind, start, end in _spans(labels):
            score = 1 / (1 + math.exp(-min(float(margins[start:end].min()) / _SCALE, 50.0)))
            field = _field(paper.text, kind, marks.tokens[start:end], ruled, score)
            if kind not in best or field.score > best[kind].score:
                best[kind] = field
        return tuple(sorted(best.values(), key=lambda field: field.start))

    @classmethod
    def learned(cls, examples: Sequence[Example], *, rounds: int = 12, seed: int = 0) -> FieldTagger:
        """A tagger for the fields of these examples. Raises ValueError when none of them stands in its document."""
        return cls(learn([marked(paper, fields) for paper, fields in examples], rounds=rounds, seed=seed))


def marked(paper: Paper, fields: Mapping[str, str]) -> Marked:
    """A document to learn from: its words with a label for each, by where the texts of the fields stand in it."""
    marks = PaperMarks(paper, fields_of(paper.text))
    words = [token.text for token in marks.tokens]
    labels = [NONE] * len(words)
    for kind, written in fields.items():
        sought = written.split()
        for start in _places(words, sought):
            if all(label == NONE for label in labels[start : start + len(sought)]):
                labels[start] = f"B-{kind}"
                labels[start + 1 : start + len(sought)] = [f"I-{kind}"] * (len(sought) - 1)
    return Marked(marks.seen(), labels)


def _places(words: Sequence[str], sought: Sequence[str]) -> list[int]:
    """Where words stand in a row; signs around the first and the last do not count."""
    if not sought:
        return []
    bare, wanted = [word.strip(_AROUND) for word in words], [word.strip(_AROUND) for word in sought]
    size = len(wanted)
    return [at for at in range(len(bare) - size + 1) if bare[at : at + size] == wanted]


def _spans(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """Kind, start and end of every field in a row of labels."""
    found: list[tuple[str, int, int]] = []
    for at, label in enumerate(labels):
        if label == NONE:
            continue
        kind = label[2:]
        if label.startswith("I-") and found and found[-1][0] == kind and found[-1][2] == at:
            found[-1] = (kind, found[-1][1], at + 1)
        else:
            found.append((kind, at, at + 1))
    return found


def _field(text: str, kind: str, tokens: Sequence[Token], ruled: Sequence[Field], score: float) -> Field:
    start, end = tokens[0].start, tokens[-1].end
    written = " ".join(token.text for token in tokens).strip(_AROUND)
    inside = [field for field in ruled if field.start < end and field.end > start and field.kind in ("date", "amount")]
    value = inside[0].value if len(inside) == 1 else written
    return Field(kind, value, text[start:end], start, end, score)


_SCALE = 10.0
"""Of margins: wrong fields were found to be about 4 ahead, right ones 16 and more."""
_AROUND = " ,;:()[]\"'"
