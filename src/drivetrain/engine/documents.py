"""Documents looked at one by one, and a tagger learned from those in which somebody marked the fields."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.connect.papers.taggers import read_tagger
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.events import Progress, silent
from drivetrain.core.papers import PaperRow
from drivetrain.core.reading import PaperReading
from drivetrain.ops.field_tagging import Example, FieldTagger
from drivetrain.ops.fields import fields_of
from drivetrain.store.folders import write_file

_AROUND = " ,;:()[]\"'"


class MarkedDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a file of marked documents: where it lies, beside that file; and by kind what stands in it.

    ``group`` names what looks alike, such as the supplier: it is learned from or tried as a whole.
    """

    path: str
    fields: dict[str, str]
    group: str = ""


_MARKS = msgspec.json.Decoder(MarkedDocument)


@dataclass(frozen=True)
class KindScore:
    """How a kind of field was found in documents that were not learned from: counts of fields."""

    kind: str
    right: int = 0
    said: int = 0
    there: int = 0

    @property
    def precision(self) -> float:
        """Share of what was said that is right."""
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """Share of what is there that was found."""
        return self.right / self.there if self.there else 0.0


@dataclass(frozen=True)
class Learned:
    """What came of learning: documents learned from and tried, and how each kind was found in the latter."""

    learned_from: int
    tried: int
    scores: tuple[KindScore, ...] = field(default=())


def describe_document(path: Path, reading: PaperReading) -> PaperRow:
    """What is told of one document. Raises NotFound, InvalidInput and MissingExtra."""
    with PaperDesk(reading) as desk:
        return desk.describe(_content(path, str(path)))


def reading_with(tagger: Path | None, *, ocr: bool, masked: bool) -> PaperReading:
    """How to read, with the tagger in a file. Raises NotFound, and InvalidInput for what is no tagger."""
    return PaperReading(ocr=ocr, masked=masked, tagger=read_tagger(tagger) if tagger else b"")


def learn_fields(
    marked: Path, to: Path, *, tried: float = 0.2, seed: int = 0, ocr: bool = True, progress: Progress = silent
) -> Learned:
    """Learn a tagger from a file of marked documents (JSON lines) and write it ``to`` a file.

    The share ``tried`` of the groups is held back first to measure it; what is written learned from all documents.
    Raises NotFound and InvalidInput, which names the line.
    """
    examples, groups = _examples(marked, ocr=ocr, progress=progress)
    held = set(_held(groups, tried, seed))
    known = [example for example, group in zip(examples, groups, strict=True) if group not in held]
    unknown = [example for example, group in zip(examples, groups, strict=True) if group in held]
    try:
        scores = _scores(FieldTagger.learned(known, seed=seed), unknown) if unknown else ()
        tagger = FieldTagger.learned(examples, seed=seed)
    except ValueError as error:
        raise InvalidInput(
            "fields_not_found",
            f"nothing to learn: {error}",
            where=str(marked),
            hint="write the fields as they stand in the documents; `drivetrain documents show FILE` shows the text",
        ) from error
    write_file(to, tagger.tagger.to_bytes())
    return Learned(len(examples), len(unknown), scores)


def _examples(marked: Path, *, ocr: bool, progress: Progress) -> tuple[list[Example], list[str]]:
    lines = [line for line in _content(marked, str(marked)).splitlines() if line.strip()]
    found: list[Example] = []
    groups: list[str] = []
    with PaperDesk(PaperReading(ocr=ocr)) as desk:
        for number, line in enumerate(lines, start=1):
            where = f"{marked}:{number}"
            try:
                told = _MARKS.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                hint = 'write one object a line: {"path": "a.pdf", "fields": {"total": "9.00 EUR"}}'
                raise InvalidInput("marks_invalid", f"not a marked document: {error}", where=where, hint=hint) from None
            found.append((desk.read(_content(marked.parent / told.path, where)), told.fields))
            groups.append(told.group or told.path)
            progress(number, len(lines), told.path)
    return found, groups


def _held(groups: Sequence[str], share: float, seed: int) -> list[str]:
    distinct = sorted(set(groups))
    random.Random(seed).shuffle(distinct)  # noqa: S311 - no secret, the same groups every time
    return distinct[: round(share * len(distinct))]


def _scores(tagger: FieldTagger, examples: Sequence[Example]) -> tuple[KindScore, ...]:
    kinds = sorted({*tagger.kinds, *(kind for _, fields in examples for kind in fields)})
    right, said, there = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)
    for paper, truth in examples:
        found = {one.kind: one.written for one in tagger.fields(paper, fields_of(paper.text))}
        for kind, written in truth.items():
            there[kind] += 1
            right[kind] += found.get(kind, "").strip(_AROUND) == " ".join(written.split()).strip(_AROUND)
        for kind in found:
            said[kind] += 1
    return tuple(KindScore(kind, right[kind], said[kind], there[kind]) for kind in kinds)


def _content(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(
            "no_files", f"{path} cannot be read: {error.strerror}", where=where, hint="correct the path"
        ) from None
