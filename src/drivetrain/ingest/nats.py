"""The kind ``nats``: a stream, message by message. Our cursor is the truth; the durable consumer only follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from threading import Event
from time import monotonic
from typing import TypeVar

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Refused, Transient
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.queues import NatsSource
from drivetrain.ingest.letters import Letter, LetterRows
from drivetrain.ingest.nats_stream import Extent, Stream, StreamMessage
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.spool import write_durably

T = TypeVar("T")
_METADATA = {
    "nats_subject": ColumnType.TEXT, "nats_sequence": ColumnType.INTEGER, "nats_time": ColumnType.TIMESTAMP,
    "nats_headers": ColumnType.TEXT,
}  # fmt: skip
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Cursor:
    """When the stream was made, and the number of the message that comes next."""

    created: str
    next: int


@dataclass(frozen=True)
class Silence:
    """After this cursor there was nothing for us before the number ``until``."""

    cursor: Cursor
    until: int


class NatsReader:
    """A Reader of a JetStream stream, and a Waiter."""

    def __init__(self, spec: NatsSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._stream: Stream | None = None
        self._is_followed = False
        self._reached: int | None = None
        identity = digest_of(list(spec.servers), spec.stream, spec.subject or "")
        self._silence = place.cache / "nats" / f"{identity[:16]}.json"

    def discover(self) -> tuple[Portion, ...]:
        """One portion, the stream, with its count of numbers. From now on a stream that deletes keeps what is new.

        Raises Forbidden, InvalidInput, NotFound and Transient.
        """
        with self._opened():
            extent = self._extent()
        return (Portion(self._spec.stream, extent.last + 1 - extent.first),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The messages up to where the stream went at the beginning.

        Raises Refused when messages after the cursor were deleted, or the stream was made anew.
        """
        told = read_json(cursor, Cursor) if cursor else None
        with self._opened():
            extent = self._extent()
            first = self._first(told, extent)
            metadata = _METADATA if self._spec.metadata else {}
            rows, content = LetterRows(self._spec, self._place, self._spec.stream, metadata), sha256()
            at, count = first, 0
            for block in self._blocks(first, extent):
                at, count = block[-1].number + 1, count + len(block)
                for message in block:
                    content.update(_bytes(message))
                yield rows.batch([self._letter(message) for message in block], at - extent.first)
            if self._spec.max_rows is None or count < self._spec.max_rows:
                at = max(at, extent.last + 1)
            self._reached = at
            if count:
                yield Position(msgspec.json.encode(Cursor(extent.created, at)).decode(), content.hexdigest())
            elif told is not None and self._spec.subject is not None:
                self._silence.parent.mkdir(parents=True, exist_ok=True)
                write_durably(self._silence, msgspec.json.encode(Silence(told, at)))

    def commit(self, cursor: str) -> None:
        """Acknowledge, if the source has a durable consumer: the servers may delete what is loaded."""
        if self._spec.durable is None or not cursor:
            return
        told = read_json(cursor, Cursor)
        with self._opened():
            if self._extent().created == told.created:
                self._asked(lambda stream: stream.acknowledge(told.next - 1))

    def wait(self, seconds: float) -> bool:
        """Whether there are messages after what was read last. True before the first reading."""
        self._is_followed = True
        until, resting = monotonic() + seconds, Event()
        if self._reached is None:
            return True
        while not self._once(lambda stream: stream.has_more(self._reached or 1)):
            if (left := until - monotonic()) <= 0:
                return False
            resting.wait(min(left, _LOOK_SECONDS))
        return True

    def lag(self) -> int:
        """How many messages there are after what was read last."""
        with self._opened():
            return self._once(lambda stream: stream.waiting(self._reached or 1))

    def close(self) -> None:
        """Let go of the connection."""
        self._is_followed = False
        self._hang_up()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Whoever opens the connection closes it, unless the source is followed."""
        is_first = self._stream is None
        try:
            yield
        finally:
            if is_first and not self._is_followed:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _asked(self, ask: Callable[[Stream], T]) -> T:
        return retrying(lambda: self._once(ask), self._spec.timeout_seconds)

    def _once(self, ask: Callable[[Stream], T]) -> T:
        """One try. A connection on which something failed is not used again."""
        self._stream = self._stream or Stream(self._spec, self._place)
        try:
            return ask(self._stream)
        except Transient:
            self._hang_up()
            raise

    def _extent(self) -> Extent:
        extent = self._asked(lambda stream: stream.extent())
        if self._spec.durable is not None:
            self._asked(lambda stream: stream.keep())
        elif extent.deletes_what_is_done:
            raise InvalidInput(
                "nats_setting",
                f"the stream deletes what is acknowledged (retention {extent.retention}), and nobody would do that",
                where=self._where,
                hint="name a consumer of ours in `durable` of the source",
            )
        return extent

    def _blocks(self, first: int, extent: Extent) -> Iterator[list[StreamMessage]]:
        """Block by block; a connection that is lost in the middle is made again."""
        left = self._spec.max_rows if self._spec.max_rows is not None else extent.last
        while first <= extent.last and left > 0:
            at, most = first, left
            block = self._asked(lambda stream: stream.block(at, extent, most))  # noqa: B023 - asked before they change
            if not block:
                return
            yield block
            first, left = block[-1].number + 1, left - len(block)

    def _first(self, told: Cursor | None, extent: Extent) -> int:
        """The number of the message that is read first."""
        if told is None:
            return extent.first
        if (gap := self._gap(told, extent)) and self._spec.gaps == "refuse":
            raise Refused(
                "messages_gone",
                f"the servers no longer have what comes next: {gap}",
                where=self._where,
                hint="to go on without these messages set `gaps: accept` on the source, load, and take it out again; "
                "load more often than the stream's limits delete",
            )
        return extent.first if gap else told.next

    def _gap(self, told: Cursor, extent: Extent) -> str:
        """What is lost in front of the next message; empty when nothing is."""
        if told.created != extent.created:
            return f"the stream was deleted and made anew ({told.next - 1:,} messages of the old one were passed)"
        if told.next > extent.last + 1:
            return f"loaded to message {told.next - 1:,}, but the stream ends at {extent.last:,}: it was restored"
        if self._spec.subject is not None and extent.deletes_what_is_done:
            return ""  # others acknowledge the other subjects, and their messages go
        expected = told.next
        if self._silence.exists():
            silence = read_json(self._silence.read_bytes(), Silence)
            expected = silence.until if silence.cursor == told else expected
        if expected < extent.first:
            lost = f"messages {expected:,} to {extent.first - 1:,} were deleted"
            return f"{lost}, and nobody can tell whether some had our subject" if self._spec.subject else lost
        return ""

    @property
    def _where(self) -> str:
        return f"nats {', '.join(self._spec.servers)}, stream {self._spec.stream}"

    def _letter(self, message: StreamMessage) -> Letter:
        if not self._spec.metadata:
            return Letter(message.number, message.content)
        headers = msgspec.json.encode(message.headers).decode() if message.headers else None
        return Letter(
            message.number, message.content, (message.subject, str(message.number), message.at.isoformat(), headers)
        )


def _bytes(message: StreamMessage) -> bytes:
    """The message with its number and length, so that the digest does not depend on the blocks."""
    return b"%d %d " % (message.number, len(message.content)) + message.content
