"""``POST /v1/predict`` as an Arrow IPC stream: record batches of named columns in; id, score, decision and outputs out.

The release stands in the schema's metadata. An error in the middle is a last batch without rows, whose custom metadata
hold it as JSON under ``error``; the answer is broken off then, so that nobody takes it for all.
"""

from __future__ import annotations

import asyncio

from drivetrain.connect.http.messages import Exchange, Headers
from drivetrain.core.errors import DrivetrainError
from drivetrain.serve.arrow_messages import Messages
from drivetrain.serve.service import Service
from drivetrain.serve.streams import Stream, Streams
from drivetrain.serve.wording import Scored, Wording

ARROW = "application/vnd.apache.arrow.stream"


class ArrowStream:
    """The endpoint of one service. A message of a stream may have ``most`` bytes."""

    def __init__(self, service: Service, most: int) -> None:
        self._streams = Streams(service, _Batches())
        self._most = most

    def __call__(self, exchange: Exchange) -> None:
        """Answer batch by batch, from now on. Raises Transient when nothing answers."""
        stream = self._streams.open(exchange)
        stream.run(self._read(stream))

    async def _read(self, stream: Stream) -> None:
        await asyncio.to_thread(_import_arrow)
        from drivetrain.serve.arrow_rows import Decoder  # Arrow: a server that nobody asks for it does not load it

        messages, decoder = Messages(self._most), Decoder(self._most)
        while part := await stream.exchange.read():
            for message in messages.feed(part):
                for rows in decoder.batches(message):
                    await stream.answer(rows)
        messages.end()


class _Batches:
    """How answers are written."""

    headers: Headers = (("content-type", ARROW),)

    def opening(self, scored: Scored) -> bytes:
        from drivetrain.serve.arrow_rows import opening  # as above

        return opening(scored)

    def said(self, scored: Scored) -> bytes:
        from drivetrain.serve.arrow_rows import answered  # as above

        return answered(scored)

    def ending(self, problem: DrivetrainError | None, wording: Wording) -> tuple[bytes, bool]:
        from drivetrain.serve.arrow_rows import END, failed  # as above

        return (END, True) if problem is None else (failed(problem, wording), False)


def _import_arrow() -> None:
    """In a thread: it takes a tenth of a second, in which the loop has others to answer."""
    import drivetrain.serve.arrow_rows  # noqa: F401 - as above
