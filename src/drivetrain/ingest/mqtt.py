"""The kind ``mqtt``: what a broker keeps for our session, by way of a spool on this machine's disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from time import monotonic

import msgspec

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import Refused, Transient
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.mqtt_inbox import Inbox, read_kept
from drivetrain.ingest.mqtt_rows import MessageRows
from drivetrain.ingest.reading import Batch, Portion, Position

_BATCH_ROWS, _BATCH_BYTES = 10_000, 16 << 20


@dataclass(frozen=True)
class Cursor:
    """The spool, and the number of the message in it that is read next."""

    spool: str
    next: int


class MqttReader:
    """A Reader of MQTT topics, and a Waiter."""

    def __init__(self, spec: MqttSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._inbox: Inbox | None = None
        self._is_followed = False
        self._next: int | None = None

    def discover(self) -> tuple[Portion, ...]:
        """One portion, the session; from its first time on the broker keeps messages for us. Nobody knows how many.

        Raises Forbidden, InvalidInput, NotFound, Refused and Transient.
        """
        with self._opened() as inbox:
            inbox.connect(self._spec.timeout_seconds)
        return (Portion(self._spec.client_id, 0),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What was spooled after the cursor, and what the broker sends until it is silent.

        Raises Refused when messages may be lost, and what ``discover`` raises.
        """
        told = read_json(cursor, Cursor) if cursor else None
        with self._opened() as inbox:
            first = self._first(told, inbox)
            inbox.connect(self._spec.timeout_seconds)
            if inbox.memory.is_lost and self._spec.gaps == "refuse":
                raise _gap("the broker forgot our session, and what it had kept for us since the last load", self._spec)
            inbox.look_into()
            inbox.collect(first)
            if not self._is_followed:
                inbox.hang_up()
            rows, done = MessageRows(self._spec), 0
            for block in _blocks(self._waiting(inbox, first)):
                done += len(block)
                yield rows.batch({number: read_kept(record) for number, record in block.items()}, done)
                self._next = max(block) + 1
                yield Position(msgspec.json.encode(Cursor(inbox.spool.id, self._next)).decode(), _digest(block))
            self._next = self._next or first

    def commit(self, cursor: str) -> None:
        """Forget the spooled messages before the cursor."""
        told = read_json(cursor, Cursor) if cursor else None
        with self._opened() as inbox:
            if told is not None and told.spool == inbox.spool.id:
                inbox.forget(told.next)

    def wait(self, seconds: float) -> bool:
        """Whether there are messages after what was read last. True before the first reading."""
        self._is_followed = True
        until = monotonic() + seconds
        with self._opened() as inbox:
            while self._next is not None and inbox.spool.next <= self._next:
                if (left := until - monotonic()) <= 0:
                    return False
                inbox.connect(0)
                with suppress(Transient):  # a connection that was lost is made again
                    inbox.listen(left)
        return True

    def lag(self) -> int:
        """How many messages are spooled after what was read last; what waits at the broker nobody can ask."""
        with self._opened() as inbox:
            return inbox.spool.next - (self._next or inbox.spool.first())

    def close(self) -> None:
        """Let go of the connection; the broker goes on keeping messages for us."""
        self._is_followed = False
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    @contextmanager
    def _opened(self) -> Iterator[Inbox]:
        is_first = self._inbox is None
        self._inbox = self._inbox or Inbox(self._spec, self._place)
        try:
            yield self._inbox
        finally:
            if is_first and not self._is_followed:
                self.close()

    def _first(self, told: Cursor | None, inbox: Inbox) -> int:
        """The number of the message that is read first."""
        spool = inbox.spool
        if told is None:
            return spool.first()
        if told.spool == spool.id and spool.first() <= told.next <= spool.next:
            return told.next
        if self._spec.gaps == "refuse":
            raise _gap("the spool is not the one of the last load, and what was in it since is gone", self._spec)
        return spool.first()

    def _waiting(self, inbox: Inbox, first: int) -> Iterator[tuple[int, bytes]]:
        return islice(inbox.spool.records(first), self._spec.max_rows)


def _blocks(records: Iterator[tuple[int, bytes]]) -> Iterator[dict[int, bytes]]:
    """The records in blocks of bounded size."""
    block: dict[int, bytes] = {}
    size = 0
    for number, record in records:
        block[number] = record
        size += len(record)
        if len(block) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield block
            block, size = {}, 0
    if block:
        yield block


def _digest(block: dict[int, bytes]) -> str:
    sha = sha256()
    for number, record in block.items():
        sha.update(b"%d %d " % (number, len(record)) + record)
    return sha.hexdigest()


def _gap(what: str, spec: MqttSource) -> Refused:
    return Refused(
        "mqtt_gap",
        f"messages may be lost: {what}",
        where=f"mqtt {spec.broker}, client {spec.client_id}",
        hint="what is sent from now on is kept; to go on set `gaps: accept` on the source, load, and take it out again",
    )
