"""``POST /v1/predict`` in NDJSON: a row a line in; ``{"id", "score", "decision"}`` a line out, in the same order.

An error in the middle is told in a last line ``{"error": {...}}`` that holds the status it would have had; every row
before the one in ``where`` was answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from drivetrain.connect.http.messages import Exchange, Headers
from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.serve.answers import told
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.service import Service
from drivetrain.serve.streams import Stream, Streams
from drivetrain.serve.wording import Scored, Wording, predictions

NDJSON = "application/x-ndjson"
LONGEST_LINE = 256 * 1024
TOGETHER = 512
"""Lines that are read in one go."""


class LineStream:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self._streams = Streams(service, _Lines())

    def __call__(self, exchange: Exchange) -> None:
        """Answer line by line, from now on. Raises Transient when nothing answers."""
        stream = self._streams.open(exchange)
        stream.run(_read(stream, self._streams.service.settings.max_nesting))


async def _read(stream: Stream, nesting: int) -> None:
    lines = Lines()
    while part := await stream.exchange.read():
        for found in lines.feed(part):
            await stream.answer(_LineBlock(found, nesting))
        if len(lines.rest) > LONGEST_LINE:
            raise _too_long(stream.rows)
    if last := lines.last():
        await stream.answer(_LineBlock(last, nesting))


class Lines:
    """Cuts a text that comes in parts into its lines; empty ones are left out. ``rest`` is the last, not ended yet."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, part: bytes) -> Iterator[list[bytes]]:
        """The lines that end in ``part``, at most a few hundred at a time."""
        self.rest += part
        found = TOGETHER
        while found == TOGETHER:
            *lines, self.rest = self.rest.split(b"\n", TOGETHER)
            found = len(lines)
            if filled := _filled(lines):
                yield filled

    def last(self) -> list[bytes]:
        """The last line, if there is one without an end."""
        return _filled([self.rest])


class _LineBlock(NamedTuple):
    lines: Sequence[bytes]
    nesting: int

    def read(self, form: RowForm) -> Rows:
        for at, line in enumerate(self.lines):
            if len(line) > LONGEST_LINE:
                raise _too_long(at)
        return form.read_lines(self.lines, self.nesting)

    def cut(self, start: int, end: int) -> _LineBlock:
        return self._replace(lines=self.lines[start:end])


class _Lines:
    """How answers are written."""

    headers: Headers = (("content-type", NDJSON),)

    def opening(self, scored: Scored) -> bytes:
        return b""

    def said(self, scored: Scored) -> bytes:
        return _ENCODE(predictions(scored))

    def ending(self, problem: DrivetrainError | None, wording: Wording) -> tuple[bytes, bool]:
        return (b"" if problem is None else _ENCODE([told(problem)])), True


_ENCODE = msgspec.json.Encoder().encode_lines


def _filled(lines: Sequence[bytes]) -> list[bytes]:
    return [line for line in lines if line and not line.isspace()]


def _too_long(row: int) -> InvalidInput:
    return InvalidInput(
        "line_too_long",
        f"a line is longer than {LONGEST_LINE} bytes",
        where=f"rows[{row}]",
        hint="a line is one row, and ends with a newline",
    )
