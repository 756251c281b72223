"""The kind ``kafka``: topics, partition by partition. Our cursor is the truth; the group's offsets only follow it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused, examples
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.ingest.kafka_cluster import Cluster, Extent, Partition
from drivetrain.ingest.kafka_rows import MessageRows
from drivetrain.ingest.reading import Batch, Portion, Position

if TYPE_CHECKING:
    from confluent_kafka import Message


@dataclass(frozen=True)
class TopicCursor:
    """A topic as it was read: its id at the brokers, and of each partition the offset that comes next."""

    id: str
    next: dict[int, int]


Cursor = dict[str, TopicCursor]


class KafkaReader:
    """A Reader of Kafka topics, and a Waiter."""

    def __init__(self, spec: KafkaSource, place: Place) -> None:
        self._spec, self._work = spec, place
        self._cluster: Cluster | None = None
        self._reached: dict[Partition, int] = {}

    def discover(self) -> tuple[Portion, ...]:
        """The partitions, with their count of offsets. Raises NotFound, Transient, Forbidden."""
        return tuple(Portion(str(one), extent.high - extent.low) for one, extent in self._extents().items())

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The messages up to where each partition went at the beginning; see the module ``kafka_rows`` for the rows.

        Raises Refused when messages after the cursor were deleted at the brokers, or a topic was made anew.
        """
        told = read_json(cursor, Cursor) if cursor else {}
        extents = self._extents()
        self._reached = self._starts(told, extents)
        rows, left = MessageRows(self._spec, self._work), self._spec.max_rows
        passed = sum(max(0, first - extents[one].low) for one, first in self._reached.items())
        waiting = [one for one, first in self._reached.items() if first < extents[one].stable]
        for position, partition in enumerate(waiting):
            share = -(-left // (len(waiting) - position)) if left is not None else None
            content, count = _Content(), 0
            end = extents[partition].stable
            for block in self._open().messages(partition, self._reached[partition], end, share):
                count += len(block)
                content.add(block)
                self._reached[partition] = (block[-1].offset() or 0) + 1
                yield from rows.batches(str(partition), block, passed + count)
            if share is None or count < share:
                self._reached[partition] = end  # what is after the last message are marks of transactions
            passed, left = passed + count, None if left is None else left - count
            if count:
                yield Position(self._cursor(told, extents), digest_of(str(partition), content.hexdigest()))

    def commit(self, cursor: str) -> None:
        """Let the group's offsets follow, if the source has a group."""
        if self._spec.group is not None and cursor:
            told = read_json(cursor, Cursor)
            offsets = {Partition(name, one): at for name, topic in told.items() for one, at in topic.next.items()}
            retrying(lambda: self._open().commit(offsets), self._spec.timeout_seconds)

    def wait(self, seconds: float) -> bool:
        """Whether there are messages after what was read last. True before the first reading."""
        return not self._reached or self._open().wait(self._reached, seconds)

    def lag(self) -> int:
        """How many offsets there are after what was read last."""
        extents = self._extents()
        return sum(max(0, extent.stable - self._reached.get(one, extent.low)) for one, extent in extents.items())

    def close(self) -> None:
        """Let go of the connection."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def _open(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self._spec, self._work)
        return self._cluster

    def _extents(self) -> dict[Partition, Extent]:
        return retrying(self._open().extents, self._spec.timeout_seconds)

    def _starts(self, told: Cursor, extents: Mapping[Partition, Extent]) -> dict[Partition, int]:
        """Where to begin in each partition: new ones are read from their first message."""
        first = {} if told or self._spec.start == "earliest" else self._first_contact(extents)
        starts, gaps = {}, []
        for one, extent in extents.items():
            topic = told.get(one.topic)
            at = topic.next.get(one.number) if topic else first.get(str(one))
            gap = _gap(one, at, topic, extent)
            starts[one] = extent.low if at is None or gap else at
            gaps += [gap] if gap else []
        if gaps and self._spec.gaps == "refuse":
            raise Refused(
                "messages_gone",
                f"the brokers no longer have what comes next: {examples(gaps)}",
                where=f"topics {examples(self._spec.topics)}",
                hint="to go on without these messages set `gaps: accept` on the source, load, and take it out again; "
                "load more often than the topic's retention",
            )
        return starts

    def _first_contact(self, extents: Mapping[Partition, Extent]) -> dict[str, int]:
        """With ``start: latest``: the ends of the partitions when they were first looked at, which are written down.

        A load that finds no message leaves no cursor; the next one has to begin where this one did.
        """
        identity = digest_of(self._spec.model_dump(mode="json", include={"brokers", "topics"}))
        file = self._work.cache / f"kafka-latest-{identity[:16]}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            half = file.with_suffix(".half")
            half.write_bytes(msgspec.json.encode({str(one): extent.stable for one, extent in extents.items()}))
            half.replace(file)
        return read_json(file.read_bytes(), dict[str, int])

    def _cursor(self, told: Cursor, extents: Mapping[Partition, Extent]) -> str:
        cursor = dict(told)
        for one, at in self._reached.items():
            known = cursor.get(one.topic)
            same = known is not None and known.id == extents[one].topic_id
            before = known.next if known is not None and same else {}
            cursor[one.topic] = TopicCursor(extents[one].topic_id, {**before, one.number: at})
        return msgspec.json.encode(cursor).decode()


def _gap(one: Partition, at: int | None, topic: TopicCursor | None, extent: Extent) -> str:
    """What is lost in front of the next offset; empty when nothing is."""
    if at is None:
        return ""
    if topic is not None and topic.id != extent.topic_id:
        return f"{one}: the topic was deleted and made anew ({at:,} messages of the old one were loaded)"
    if at > extent.high:
        return f"{one}: loaded to offset {at:,}, but the partition ends at {extent.high:,}: it was made anew"
    if at < extent.low:
        return f"{one}: offsets {at:,} to {extent.low - 1:,} ({extent.low - at:,} messages) were deleted"
    return ""


class _Content:
    """The digest of messages: of places and lengths, of keys, and of values, so that it does not depend on blocks."""

    def __init__(self) -> None:
        self._places, self._keys, self._values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def add(self, block: list[Message]) -> None:
        """Take the next messages in."""
        keys = [message.key() or b"" for message in block]
        values = [message.value() for message in block]
        lengths = [-1 if value is None else len(value) for value in values]
        places = ([message.offset() or 0 for message in block], list(map(len, keys)), lengths)
        self._places.update(np.array(places, np.int64).tobytes(order="F"))
        self._keys.update(b"".join(keys))
        self._values.update(b"".join(filter(None, values)))

    def hexdigest(self) -> str:
        """What stands for all of them."""
        return digest_of(*(part.hexdigest() for part in (self._places, self._keys, self._values)))
