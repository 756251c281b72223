"""From words with their boxes, or from plain lines, to blocks in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from drivetrain.core.papers import Block, Box

_GAP = 1.4
"""Words further apart than this, in heights of the line, stand in two blocks."""
_OVERLAP = 0.5
"""So much of its height a word must share with a line to stand on it."""


class Placed(NamedTuple):
    """A word and where it stands."""

    text: str
    box: Box


def placed_blocks(words: Iterable[Placed]) -> tuple[Block, ...]:
    """Blocks of words that stand in any order: lines from the top, blocks from the left."""
    blocks = []
    for number, line in enumerate(_lines(words)):
        height = median(word.box.bottom - word.box.top for word in line)
        start = 0
        for at in range(1, len(line) + 1):
            if at == len(line) or line[at].box.left - line[at - 1].box.right > _GAP * height:
                cell = line[start:at]
                text, boxes = " ".join(word.text for word in cell), tuple(word.box for word in cell)
                blocks.append(Block(text, number, boxes))
                start = at
    return tuple(blocks)


def plain_blocks(text: str) -> tuple[Block, ...]:
    """Blocks of lines whose cells are parted by tabs; blanks in a row are one, empty lines stay empty numbers."""
    return tuple(
        Block(" ".join(cell.split()), number)
        for number, line in enumerate(text.splitlines())
        for cell in line.split("\t")
        if cell.strip()
    )


def _lines(words: Iterable[Placed]) -> list[Sequence[Placed]]:
    lines: list[list[Placed]] = []
    top = bottom = 0.0
    for word in sorted(words, key=lambda word: (word.box.top + word.box.bottom, word.box.left)):
        height = word.box.bottom - word.box.top
        shared = min(bottom, word.box.bottom) - max(top, word.box.top)
        if lines and shared >= _OVERLAP * min(height, bottom - top):
            lines[-1].append(word)
        else:
            lines.append([word])
            top, bottom = word.box.top, word.box.bottom
    return [sorted(line, key=lambda word: word.box.left) for line in lines]
