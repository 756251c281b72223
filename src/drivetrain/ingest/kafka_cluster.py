"""A Kafka cluster as this product sees it: which partitions there are, how far they go, and the messages of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, MissingExtra, NotFound, Transient, examples
from drivetrain.core.sources.streams import KafkaSource

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message
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
        self._complaint: KafkaError | None = None
        settings = {**_settings(spec, place), "error_cb": self._complain}
        consuming = {
            "group.id": spec.group or "drivetrain",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 32_768,
        }
        try:
            self._admin: AdminClient = AdminClient(settings)
            self._consumer: Consumer = Consumer({**settings, **consuming})
        except KafkaException as error:
            raise _failure(error, self._where, self._complaint) from None
        self._waiting = False

    @property
    def _where(self) -> str:
        return f"kafka {', '.join(self._spec.brokers)}"

    def _complain(self, error: KafkaError) -> None:
        """A time-out says nothing of its cause; the client's complaint before it does."""
        self._complaint = error

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
                raise _silent(self._where, f"no more messages of {partition} after offset {at}", self._complaint)
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
                    where=self._where,
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
            raise _failure(error, self._where, self._complaint) from None
        self._complaint = None
        return answer

    def _behind(self, message: Message) -> int:
        """The offset behind what is no message: the end, with aborted transactions before it."""
        if _is_end(message):
            return _offset(message)
        raise _failure(message.error(), self._where, self._complaint)


def _settings(spec: KafkaSource, place: Place) -> dict[str, str | int]:
    settings: dict[str, str | int] = {"bootstrap.servers": ",".join(spec.brokers), "log_level": 0}
    settings |= {"reconnect.backoff.max.ms": 2_000, "client.id": "drivetrain"}
    settings["security.protocol"] = ("SASL_" if spec.sasl else "") + ("SSL" if spec.tls else "PLAINTEXT")
    if spec.sasl is not None:
        login = (spec.sasl.mechanism, spec.sasl.user, place.secrets.get(spec.sasl.password))
        settings |= dict(zip(("sasl.mechanism", "sasl.username", "sasl.password"), login, strict=True))
    if spec.tls is not None and spec.tls.ca is not None:
        settings["ssl.ca.location"] = str(place.home / spec.tls.ca)
    return settings


def _offset(message: Message) -> int:
    offset: int | None = message.offset()
    assert offset is not None
    return offset


def _is_end(message: Message) -> bool:
    from confluent_kafka import KafkaError

    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _failure(cause: object, where: str, complaint: KafkaError | None) -> DrivetrainError:
    """The error of ours for one of the client library; ``complaint`` is what it said before a time-out."""
    from confluent_kafka import KafkaError, KafkaException

    if isinstance(cause, TimeoutError):
        return _silent(where, "no answer in time", complaint)
    found: KafkaError = cause.args[0] if isinstance(cause, KafkaException) else cause
    codes = {found.code(), complaint.code() if complaint else None}
    if codes & {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
        hint = "correct `sasl` of the source and the credential that `password` names"
        return Forbidden("kafka_login_refused", "the brokers refuse the login", where=where, hint=hint)
    if codes & {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}:
        hint = "grant READ and DESCRIBE on the topics, and READ on the group if `group` is set"
        return Forbidden("kafka_forbidden", f"the brokers do not allow it: {found.str()}", where=where, hint=hint)
    if codes & {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}:
        hint = "give the source a `group` that nobody else consumes in, or none"
        return InvalidInput("kafka_group_in_use", "others consume in the group", where=where, hint=hint)
    if codes & {KafkaError._INVALID_ARG, KafkaError._SSL, KafkaError._UNSUPPORTED_FEATURE}:
        hint = "correct the brokers, the login or `tls` of the source"
        return InvalidInput("kafka_setting", f"the settings cannot be used: {found.str()}", where=where, hint=hint)
    return _silent(where, found.str(), complaint)


def _silent(where: str, what: str, complaint: KafkaError | None) -> Transient:
    said = f" ({complaint.str()})" if complaint else ""
    hint = "see whether the brokers run and `brokers` is right, then run the same command again"
    return Transient("kafka_unreachable", f"the brokers do not answer: {what}{said}", where=where, hint=hint)
