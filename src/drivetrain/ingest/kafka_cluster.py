"""A Kafka cluster as this product sees it: which partitions there are, how far they go, and the messages of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from drivetrain.connect.kafka import Faults, settings
from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra, NotFound, examples
from drivetrain.core.sources.streams import KafkaSource

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message
    from confluent_kafka.admin import AdminClient

T = TypeVar("T")
_ASK_SECONDS = 5.0  # for one question; `timeout_seconds` says how long it is asked again
_MOST, _BATCH_BYTES = 10_000, 16 << 20


@dataclass(frozen=True, order=True)
class Partition:
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(frozen=True)
class Extent:
    """The offsets of a partition: of its first message, behind its last, and behind the last that is committed."""

    topic_id: str
    low: int
    high: int
    stable: int


class Cluster:
    """A connection. What an answer lacks raises Transient, a refused login Forbidden, a wrong setting InvalidInput."""

    def __init__(self, spec: KafkaSource, place: Place) -> None:
        try:
            from confluent_kafka import Consumer, KafkaException
            from confluent_kafka.admin import AdminClient
        except ImportError:
            raise MissingExtra("confluent-kafka", "kafka") from None
        self._spec = spec
        self._patience = min(_ASK_SECONDS, spec.timeout_seconds)
        rights = "READ and DESCRIBE on the topics, and READ on the group if `group` is set"
        self._faults = Faults(f"kafka {', '.join(spec.brokers)}", rights)
        common = {**settings(spec, place), "error_cb": self._faults.hear}
        consuming = {
            "group.id": spec.group or "drivetrain",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 32_768,
        }
        try:
            self._admin: AdminClient = AdminClient(common)
            self._consumer: Consumer = Consumer({**common, **consuming})
        except KafkaException as error:
            raise self._faults.of(error) from None
        self._waiting = False

    def extents(self) -> dict[Partition, Extent]:
        """The partitions of the topics that the source means, in order. Raises NotFound for a topic that is not."""
        from confluent_kafka import IsolationLevel, TopicCollection
        from confluent_kafka.admin import OffsetSpec

        found = self._asked(lambda: self._admin.list_topics(timeout=self._patience)).topics
        names = self._meant(sorted(found))
        described = self._admin.describe_topics(TopicCollection(names), request_timeout=self._patience)
        ids = {name: str(self._result(described[name]).topic_id) for name in names}
        all_of = sorted(Partition(name, number) for name in names for number in found[name].partitions)
        low = self._offsets(all_of, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        high = self._offsets(all_of, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        stable = self._offsets(all_of, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        return {one: Extent(ids[one.topic], low[one], high[one], stable[one]) for one in all_of}

    def messages(self, partition: Partition, first: int, end: int, most: int | None) -> Iterator[list[Message]]:
        """The committed messages from ``first`` to before ``end``, at most ``most``, in blocks of bounded size."""
        from confluent_kafka import TopicPartition

        self._consumer.assign([TopicPartition(partition.topic, partition.number, first)])
        self._waiting = False
        at, left, ask, heard = first, most or end - first, 500, monotonic()
        while at < end and left:
            got = self._consumer.consume(min(ask, left, end - at), timeout=0.2)
            block = [message for message in got if message.error() is None]
            if len(block) < len(got):
                at = max([at, *(self._behind(message) for message in got if message.error() is not None)])
            if block:
                at = max(at, _offset(block[-1]) + 1)
                while block and _offset(block[-1]) >= end:
                    block.pop()
            if block:
                left -= len(block)
                ask = max(1, min(_MOST, _BATCH_BYTES * len(block) // (sum(map(len, block)) + 1)))
                yield block
            heard = monotonic() if got else heard
            if monotonic() - heard > self._spec.timeout_seconds:
                raise self._faults.silent(f"no more messages of {partition} after offset {at}")
        self._consumer.unassign()

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group's offsets to whoever looks at lag."""
        from confluent_kafka import TopicPartition

        told = [TopicPartition(one.topic, one.number, offset) for one, offset in offsets.items()]
        if told:
            self._asked(lambda: self._consumer.commit(offsets=told, asynchronous=False))

    def wait(self, offsets: Mapping[Partition, int], seconds: float) -> bool:
        """Whether there is a message at or behind one of these offsets, as soon as there is."""
        from confluent_kafka import TopicPartition

        if not self._waiting:
            places = [TopicPartition(one.topic, one.number, offset) for one, offset in offsets.items()]
            self._consumer.assign(places)
            self._waiting = True
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            message = self._consumer.poll(left)
            if message is not None and not _is_end(message):
                return True
        return False

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def _meant(self, there: list[str]) -> list[str]:
        names: dict[str, None] = {}
        for wanted in self._spec.topics:
            here = [name for name in there if (re.match(wanted, name) if wanted[0] == "^" else name == wanted)]
            if not here:
                raise NotFound(
                    "topic_unknown",
                    f"there is no topic {wanted!r}",
                    where=self._faults.where,
                    hint=f"topics: {examples(there, 20) or 'none'}; correct `topics` on the source",
                )
            names |= dict.fromkeys(here)
        return sorted(names)

    def _offsets(self, partitions: list[Partition], spec: object, level: object) -> dict[Partition, int]:
        from confluent_kafka import TopicPartition

        wanted = {TopicPartition(one.topic, one.number): spec for one in partitions}
        asked = self._admin.list_offsets(wanted, isolation_level=level, request_timeout=self._patience)
        return {Partition(one.topic, one.partition): self._result(answer).offset for one, answer in asked.items()}

    def _result(self, future: Future[T]) -> T:
        return self._asked(lambda: future.result(2 * self._patience))

    def _asked(self, ask: Callable[[], T]) -> T:
        from confluent_kafka import KafkaException

        try:
            answer = ask()
        except (KafkaException, TimeoutError) as error:
            self._admin.poll(0)  # hears the complaints
            raise self._faults.of(error) from None
        self._faults.complaint = None
        return answer

    def _behind(self, message: Message) -> int:
        """The offset behind what is no message: the end, with aborted transactions before it."""
        if _is_end(message):
            return _offset(message)
        raise self._faults.of(message.error())


def _offset(message: Message) -> int:
    offset: int | None = message.offset()
    assert offset is not None
    return offset


def _is_end(message: Message) -> bool:
    from confluent_kafka import KafkaError

    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
