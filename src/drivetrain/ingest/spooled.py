"""Queues that forget a message once they are told: a Reader by way of a spool on this machine's disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from time import monotonic
from typing import Protocol

import msgspec

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import Refused, Transient
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.spool import Spool

_BATCH_ROWS, _BATCH_BYTES = 10_000, 16 << 20


class Inbox(Protocol):
    """The spool of a source, and the connection that fills it, if there is one.

    What is written to the spool is acknowledged then, and told from what the broker sends again. Every method that
    speaks to the broker raises Forbidden, InvalidInput, NotFound, Refused and Transient.
    """

    spool: Spool

    @property
    def loss(self) -> str:
        """What may have been lost at the broker, and nobody has looked into yet; empty: nothing."""
        ...

    def look_into(self) -> None:
        """A person has seen the loss."""
        ...

    def connect(self, seconds: float) -> bool:
        """Be connected; whether that was not so before. A broker that does not answer is tried for so long."""
        ...

    def collect(self, first: int) -> None:
        """Take what the broker has, until it is silent or the source's limits are reached; ``first`` is read next."""
        ...

    def listen(self, seconds: float) -> bool:
        """Take what comes within so many seconds; whether anything did. Raises Transient: the connection is lost."""
        ...

    def forget(self, before: int) -> None:
        """Delete records before the number, but for those by which a message that comes again is told."""
        ...

    def hang_up(self) -> None:
        """End the connection."""
        ...

    def close(self) -> None:
        """End the connection, and let somebody else have the spool."""
        ...


class Spooled(Protocol):
    """What a source of this sort says."""

    @property
    def timeout_seconds(self) -> float:
        """How long a broker that does not answer is tried."""
        ...

    @property
    def max_rows(self) -> int | None:
        """The most messages that one load takes."""
        ...

    @property
    def gaps(self) -> str:
        """``refuse`` or ``accept``: what to do when messages may be lost."""
        ...


Unpack = Callable[[Mapping[int, bytes], int], Batch]
"""Records of the spool, by their numbers, as a batch; the count is how many have passed."""


@dataclass(frozen=True)
class Cursor:
    """The spool, and the number of the message in it that is read next."""

    spool: str
    next: int


class SpooledReader:
    """A Reader of a queue, and a Waiter. The kinds say how their inbox is opened, and what a record of it is."""

    def __init__(
        self, spec: Spooled, name: str, where: str, open_inbox: Callable[[], Inbox], unpacking: Callable[[], Unpack]
    ) -> None:
        """``name`` is that of the one portion; ``unpacking`` gives what unpacks the records of one reading."""
        self._spec, self._name, self._where = spec, name, where
        self._open_inbox, self._unpacking = open_inbox, unpacking
        self._inbox: Inbox | None = None
        self._is_followed = False
        self._next: int | None = None

    def discover(self) -> tuple[Portion, ...]:
        """One portion, the queue. Nobody knows how many messages it will give.

        Raises Forbidden, InvalidInput, NotFound, Refused and Transient.
        """
        with self._opened() as inbox:
            inbox.connect(self._spec.timeout_seconds)
        return (Portion(self._name, 0),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What was spooled after the cursor, and what the broker sends until it is silent.

        Raises Refused when messages may be lost, and what ``discover`` raises.
        """
        told = read_json(cursor, Cursor) if cursor else None
        with self._opened() as inbox:
            first = self._first(told, inbox)
            inbox.connect(self._spec.timeout_seconds)
            if inbox.loss and self._spec.gaps == "refuse":
                raise self._gap(inbox.loss)
            inbox.look_into()
            inbox.collect(first)
            if not self._is_followed:
                inbox.hang_up()
            unpack, done = self._unpacking(), 0
            for block in _blocks(islice(inbox.spool.records(first), self._spec.max_rows)):
                done += len(block)
                yield unpack(block, done)
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
        """How many messages are spooled after what was read last; what waits at the broker is not counted."""
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
        """Whoever opens the inbox closes it, unless the source is followed."""
        is_first = self._inbox is None
        self._inbox = self._inbox or self._open_inbox()
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
            raise self._gap("the spool is not the one of the last load, and what was in it since is gone")
        return spool.first()

    def _gap(self, what: str) -> Refused:
        hint = "what is sent from now on is kept; to go on set `gaps: accept` for one load, and take it out again"
        return Refused("queue_gap", f"messages may be lost: {what}", where=self._where, hint=hint)


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
