"""A stream of NATS JetStream as this product sees it: how far it goes, its messages by number, what was done with them.

Reading leaves no trace: it goes through a consumer of its own that acknowledges nothing. A stream of the retention
`workqueue` allows no second consumer, so its messages are asked for one by one, many at a time. Acknowledged is by the
source's durable consumer, from which only the numbers are read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from drivetrain.connect.nats import ANSWER_SECONDS, Connection, Question
from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound, Transient
from drivetrain.core.sources.queues import NatsSource
from drivetrain.ingest import nats_api as api

if TYPE_CHECKING:
    from nats.aio.msg import Msg

T = TypeVar("T", bound=api.Answer)
_MOST, _BATCH_BYTES, _AT_ONCE = 10_000, 16 << 20, 500
_NO_MESSAGE, _NO_STREAM, _NO_CONSUMER = 10037, 10059, 10014
_encode = msgspec.json.encode


@dataclass(frozen=True)
class Extent:
    """When the stream was made, the numbers of its first and last message, and how its messages go."""

    created: str
    first: int
    last: int
    retention: str
    largest_block: int

    @property
    def deletes_what_is_done(self) -> bool:
        """Whether a message that is acknowledged goes."""
        return self.retention != "limits"


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message: its number in the stream, and when the server took it."""

    number: int
    subject: str
    content: bytes
    at: datetime
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Reading:
    """A consumer of ours: the number behind what it gave, and how many messages it has still to give."""

    consumer: str
    next: int
    waiting: int


class Stream:
    """A connection, and what is asked about the source's stream."""

    def __init__(self, spec: NatsSource, place: Place) -> None:
        """Connect. Raises what a Connection raises."""
        self._spec = spec
        self._connection = Connection(spec, place)
        self._reading: _Reading | None = None
        self.where = f"{self._connection.where}, stream {spec.stream}"

    def extent(self) -> Extent:
        """How far it goes. Raises NotFound without the stream."""
        found = self._ask(f"STREAM.INFO.{self._spec.stream}", b"", api.StreamInfo)
        state = found.state
        average = max(1, state.bytes // max(1, state.messages))
        block = max(1, min(_MOST, _BATCH_BYTES // average))
        return Extent(found.created, max(1, state.first_seq), state.last_seq, found.config.retention, block)

    def block(self, first: int, extent: Extent, most: int) -> list[StreamMessage]:
        """Some messages from ``first`` on, at most ``most``, of bounded size; none when the extent has no more."""
        read = self._one_by_one if extent.retention == "workqueue" else self._by_consumer
        return read(first, extent, min(most, extent.largest_block))

    def has_more(self, first: int) -> bool:
        """Whether there is a message of the subject with this number or a later one."""
        question = _encode(api.GetMessage(first, self._spec.subject or ">"))
        return self._ask(f"STREAM.MSG.GET.{self._spec.stream}", question, api.Found).message is not None

    def waiting(self, first: int) -> int:
        """How many messages of the subject there are from this number on."""
        extent = self.extent()
        if extent.retention != "workqueue":
            consumer = self._make_consumer(first)
            self._drop_consumer(consumer.name)
            return consumer.num_pending
        durable = self._durable()
        return durable.num_pending + durable.num_ack_pending

    def keep(self) -> None:
        """Make the durable consumer, if it is not there. Raises InvalidInput where the stream does not take it."""
        try:
            self._durable()
        except _NoConsumerError:
            durable = self._spec.durable or ""
            settings = api.ConsumerSettings(
                durable_name=durable, ack_policy="explicit", filter_subject=self._spec.subject or "", headers_only=True
            )
            question = _encode(api.CreateConsumer(self._spec.stream, settings))
            self._ask(f"CONSUMER.DURABLE.CREATE.{self._spec.stream}.{durable}", question, api.Consumer)

    def acknowledge(self, last: int) -> None:
        """Acknowledge what the durable consumer has up to this number. What came by with later numbers is given back.

        Messages that a load which was killed took, and did not acknowledge, are there again after half a minute.
        """
        waiting, back, done = self._durable().num_pending, [], False
        while waiting and not done:
            letters = self._pull(self._spec.durable or "", min(waiting, _AT_ONCE))
            if not letters:
                break
            done = any(one.metadata.num_delivered == 1 and _number(one) >= last for one in letters)
            back += [one.reply for one in letters if _number(one) > last]
            self._connection.tell([one.reply for one in letters if _number(one) <= last], b"+ACK")
            waiting = letters[-1].metadata.num_pending
        self._connection.tell(back, b"-NAK")

    def close(self) -> None:
        """Part in peace."""
        with suppress(DrivetrainError):
            self._end_reading()
        self._connection.close()

    def _end_reading(self) -> None:
        if self._reading is not None:
            name, self._reading = self._reading.consumer, None
            with suppress(_NoConsumerError):
                self._drop_consumer(name)

    def _by_consumer(self, first: int, extent: Extent, most: int) -> list[StreamMessage]:
        if self._reading is None or self._reading.next != first or not self._reading.waiting:
            self._end_reading()
            consumer = self._make_consumer(first)
            self._reading = _Reading(consumer.name, first, consumer.num_pending)
        if not self._reading.waiting:
            self._end_reading()
            return []
        letters = self._pull(self._reading.consumer, min(most, self._reading.waiting))
        if not letters:
            raise Transient("nats_unreachable", "messages that were announced did not come", where=self.where)
        last = letters[-1].metadata
        self._reading = _Reading(self._reading.consumer, last.sequence.stream + 1, last.num_pending)
        return [_received(one) for one in letters if _number(one) <= extent.last]

    def _one_by_one(self, first: int, extent: Extent, most: int) -> list[StreamMessage]:
        """Whole windows of numbers, until there is something in one."""
        at, subject = max(first, extent.first), f"$JS.API.STREAM.MSG.GET.{self._spec.stream}"
        while at <= extent.last:
            numbers = range(at, min(at + min(_AT_ONCE, extent.largest_block), extent.last + 1))
            asked = [Question(subject, _encode(api.GetMessage(number))) for number in numbers]
            answers = (read_json(answer.data, api.Found) for answer in self._connection.collect(asked, len(asked)))
            found = [self._checked(answer).message for answer in answers]
            meant = [_stored(one) for one in found if one and api.is_meant(one.subject, self._spec.subject)]
            if meant:
                return sorted(meant, key=lambda one: one.number)[:most]
            at = numbers[-1] + 1
        return []

    def _pull(self, consumer: str, count: int) -> list[Msg]:
        """The next messages of a consumer; fewer when some are gone meanwhile."""
        question = _encode(api.Pull(count, int(ANSWER_SECONDS * 0.8e9)))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{consumer}"
        answers = self._connection.collect([Question(subject, question)], count)
        return answers if answers and answers[-1].reply else answers[:-1]

    def _make_consumer(self, first: int) -> api.Consumer:
        settings = api.ConsumerSettings(
            ack_policy="none", deliver_policy="by_start_sequence", opt_start_seq=max(1, first), mem_storage=True,
            filter_subject=self._spec.subject or "", inactive_threshold=60_000_000_000,
        )  # fmt: skip
        question = _encode(api.CreateConsumer(self._spec.stream, settings))
        return self._ask(f"CONSUMER.CREATE.{self._spec.stream}", question, api.Consumer)

    def _drop_consumer(self, name: str) -> None:
        self._ask(f"CONSUMER.DELETE.{self._spec.stream}.{name}", b"", api.Answer)

    def _durable(self) -> api.Consumer:
        found = self._ask(f"CONSUMER.INFO.{self._spec.stream}.{self._spec.durable}", b"", api.Consumer)
        if found.config.deliver_subject:
            hint = "name another `durable`: a pull consumer, or one that is not there yet"
            raise InvalidInput("nats_setting", "the durable consumer is a push consumer", where=self.where, hint=hint)
        return found

    def _ask(self, what: str, content: bytes, kind: type[T]) -> T:
        return self._checked(read_json(self._connection.ask(Question(f"$JS.API.{what}", content)), kind))

    def _checked(self, answer: T) -> T:
        if answer.error is not None and answer.error.err_code != _NO_MESSAGE:
            raise self._failure(answer.error)
        return answer

    def _failure(self, error: api.Fault) -> DrivetrainError | _NoConsumerError:
        if error.err_code == _NO_CONSUMER:
            return _NoConsumerError()
        if error.err_code == _NO_STREAM:
            hint = "`nats stream ls` lists the streams; correct `stream` on the source"
            return NotFound("stream_unknown", "there is no such stream", where=self.where, hint=hint)
        if error.code == 503:
            hint = "see whether the servers are well (`nats server report jetstream`), then run it again"
            return Transient("nats_unreachable", f"JetStream says: {error.description}", where=self.where, hint=hint)
        hint = "correct `subject` and `durable` of the source"
        what = f"JetStream does not take it: {error.description}"
        return InvalidInput("nats_setting", what, where=self.where, hint=hint)


class _NoConsumerError(Exception):
    """There is no such consumer."""


def _number(letter: Msg) -> int:
    number: int = letter.metadata.sequence.stream
    return number


def _received(letter: Msg) -> StreamMessage:
    headers = tuple((letter.headers or {}).items())
    return StreamMessage(_number(letter), letter.subject, letter.data, letter.metadata.timestamp, headers)


def _stored(found: api.Stored) -> StreamMessage:
    return StreamMessage(found.seq, found.subject, found.data, found.time, api.headers_of(found.hdrs))
