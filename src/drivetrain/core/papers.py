"""A document as it was read: pages of text, where each word stands, and what the document says of itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple


class Box(NamedTuple):
    """Where something stands: from the upper left corner of its page, in the unit of the page's width."""

    left: float
    top: float
    right: float
    bottom: float

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        lefts, tops, rights, bottoms = zip(self, other, strict=True)
        return Box(min(lefts), min(tops), max(rights), max(bottoms))


class Spot(NamedTuple):
    """A place in a document: the page, from 1, and the box on it where the page has a layout."""

    page: int
    box: Box | None


@dataclass(frozen=True)
class Block:
    """Words of one line that stand close together: a cell, or a piece of a sentence.

    ``line`` counts the lines of the page from 0. ``boxes`` are those of the words, which single blanks part; none where
    the format has no layout.
    """

    text: str
    line: int
    boxes: tuple[Box, ...] = ()

    def box(self, start: int, end: int) -> Box | None:
        """Around the words of ``text[start:end]``."""
        if not self.boxes:
            return None
        first = self.text.count(" ", 0, start)
        last = first + self.text.strip(" ").count(" ", start, end)
        found = self.boxes[first]
        for box in self.boxes[first + 1 : last + 1]:
            found = found.around(box)
        return found


@dataclass(frozen=True)
class Page:
    """A page: its blocks line by line, from left to right. ``part`` names the attachment that it belongs to.

    ``width`` and ``height`` are points of 1/72 inch, of a picture its pixels, and 0 where the format has no layout.
    """

    blocks: tuple[Block, ...]
    width: float = 0.0
    height: float = 0.0
    part: str = ""

    @cached_property
    def text(self) -> str:
        """The lines; a tab stands between the blocks of one."""
        return "".join(mark + block.text for mark, block in self.marked())

    def marked(self) -> Iterator[tuple[str, Block]]:
        """The blocks, and what stands in the text in front of each."""
        line = None
        for block in self.blocks:
            yield ("" if line is None else "\t" if block.line == line else "\n"), block
            line = block.line


@dataclass(frozen=True)
class Paper:
    """A document, read. ``notes`` tell what of it could not be read; empty texts and None are not known."""

    media_type: str
    pages: tuple[Page, ...]
    title: str = ""
    sender: str = ""
    written_at: datetime | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """All pages, with an empty line between them."""
        return _BETWEEN_PAGES.join(page.text for page in self.pages)

    def placed(self) -> Iterator[tuple[int, int, Block]]:
        """Every block with the number of its page, from 1, and where it begins in ``text``."""
        start = 0
        for number, page in enumerate(self.pages, start=1):
            for mark, block in page.marked():
                yield number, start + len(mark), block
                start += len(mark) + len(block.text)
            start += len(_BETWEEN_PAGES)

    @cached_property
    def _placed(self) -> tuple[tuple[int, int, Block], ...]:
        return tuple(self.placed())

    def spot(self, start: int, end: int) -> Spot:
        """Where ``text[start:end]`` stands, as far as it stands in the block in which it begins."""
        number, begin, block = self._placed[bisect_right(self._placed, start, key=itemgetter(1)) - 1]
        return Spot(number, block.box(start - begin, min(end - begin, len(block.text))))


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


_BETWEEN_PAGES = "\n\n"
