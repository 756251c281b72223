"""The complete records of a log from a place on: lines, or several lines that begin with a pattern."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from drivetrain.ingest.log_files import ENDS
from drivetrain.store.files.content import MAX_ROW, Content, row_too_long

_CHUNK = 1024 * 1024


class Records:
    """Reads records from where the content stands, ``place``, with the bytes ``tail`` before it. Both go along."""

    def __init__(self, content: Content, place: int, tail: bytes, starts: re.Pattern[bytes] | None) -> None:
        self._content, self._starts = content, starts
        self.place, self.tail = place, tail
        self.count = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the records so far, those before ``place`` left out."""
        return self._digest.hexdigest()

    def read(self, *, is_over: bool, is_quiet: bool) -> Iterator[list[bytes]]:
        """Records with their ends, as many at a time as fit a block; the last one only when it is complete.

        ``is_over``: nobody writes any more, so that the last line needs no end. ``is_quiet``: nobody wrote for a
        while, so that the last record of several lines is complete. Raises InvalidInput for one that is too long.
        """
        rest = b""
        while block := self._content.read(_CHUNK):
            *lines, rest = self._cut(rest + block)
            if len(rest) > MAX_ROW:
                raise row_too_long(self._content.name)
            yield self._passed(lines)
        if rest and (is_over or (is_quiet and rest.endswith(b"\n"))):
            yield self._passed([rest])

    def _cut(self, text: bytes) -> list[bytes]:
        """Pieces with their ends; the last one may go on."""
        lines = _lines(text)
        if self._starts is None:
            return lines
        pieces: list[bytes] = []
        group: list[bytes] = []
        for line in lines[:-1]:
            if group and self._starts.match(line):
                pieces.append(b"".join(group))
                group = []
            group.append(line)
        return [*pieces, b"".join([*group, lines[-1]])]

    def _passed(self, records: list[bytes]) -> list[bytes]:
        passed = b"".join(records)
        self._digest.update(passed)
        self.place += len(passed)
        self.tail = (self.tail + passed[-ENDS:])[-ENDS:]
        self.count += len(records)
        return records


def _lines(text: bytes) -> list[bytes]:
    """Lines with their ends; the last one has none and may be empty."""
    *lines, rest = text.split(b"\n")
    return [*(line + b"\n" for line in lines), rest]
