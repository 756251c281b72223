"""The Reader of what was delivered, which also takes deliveries in while a service follows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

import msgspec

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.core.sources.pushed import WebhookSource
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.webhook.inbox import Inbox, Kept
from drivetrain.ingest.webhook.receiver import Receiver
from drivetrain.ingest.webhook.rows import DeliveryRows
from drivetrain.ingest.webhook.signatures import secrets_of

_BATCH_ROWS, _BATCH_BYTES = 10_000, 16 << 20


@dataclass(frozen=True)
class Cursor:
    """The inbox, and the number of the row in it that is read next."""

    inbox: str
    next: int


class WebhookReader:
    """A Reader of one source's deliveries, and a Waiter: it listens from the first time that it is waited for."""

    def __init__(self, spec: WebhookSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._folder = place.cache / "webhook" / digest_of(spec.listen, spec.path)[:16]
        self._inbox: Inbox | None = None
        self._receiver: Receiver | None = None
        self._next: int | None = None

    def discover(self) -> tuple[Portion, ...]:
        """One portion, and how many rows wait. Raises NotFound when a secret is not there."""
        inbox = self._open()
        return (Portion(self._spec.path, inbox.next - inbox.first()),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What was delivered after the cursor. Raises Refused when the inbox of the last load is gone, and NotFound."""
        told, inbox = read_json(cursor, Cursor) if cursor else None, self._open()
        rows, first = DeliveryRows(self._spec), self._first(told, inbox)
        self._next, done = first, 0
        for block in _blocks(inbox.deliveries(first)):
            count = sum(one.rows for one in block)
            done += count
            yield from rows.batches(block, done)
            self._next = block[-1].first + block[-1].rows
            yield Position(msgspec.json.encode(Cursor(inbox.id, self._next)).decode(), _digest(block))

    def commit(self, cursor: str) -> None:
        """Forget the deliveries before the cursor, but for their names."""
        told, inbox = read_json(cursor, Cursor) if cursor else None, self._open()
        if told is not None and told.inbox == inbox.id:
            inbox.forget(told.next, self._spec.id_hours)

    def wait(self, seconds: float) -> bool:
        """Listen, if that is not done yet, until there is something. True before the first reading.

        Raises InvalidInput for an address or a certificate that cannot be used, and NotFound for a secret.
        """
        self._receiver = self._receiver or Receiver(self._spec, self._place, self._folder)
        until, inbox = monotonic() + seconds, self._open()
        while self._next is not None and inbox.next <= self._next:
            if not self._receiver.arrived.wait(max(0.0, until - monotonic())):
                return False
            self._receiver.arrived.clear()
        return True

    def lag(self) -> int:
        """How many rows wait after what was read last."""
        inbox = self._open()
        return inbox.next - (inbox.first() if self._next is None else self._next)

    def close(self) -> None:
        """Answer what was accepted, listen no more, let go of the inbox."""
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def _open(self) -> Inbox:
        secrets_of(self._spec, self._place)
        self._inbox = self._inbox or Inbox(self._folder)
        return self._inbox

    def _first(self, told: Cursor | None, inbox: Inbox) -> int:
        """The number of the row that is read first."""
        if told is None:
            return inbox.first()
        if told.inbox == inbox.id and told.next <= inbox.next:
            return told.next
        if self._spec.gaps == "refuse":
            raise Refused(
                "webhook_gap",
                "the inbox is not the one of the last load: what was accepted since and not loaded is gone",
                where=f"webhook {self._spec.listen}{self._spec.path}",
                hint="ask the senders to deliver again; to go on set `gaps: accept` on the source, load, take it out",
            )
        return inbox.first()


def _blocks(deliveries: Iterator[Kept]) -> Iterator[list[Kept]]:
    """The deliveries in blocks of bounded size."""
    block: list[Kept] = []
    rows = size = 0
    for one in deliveries:
        block.append(one)
        rows, size = rows + one.rows, size + len(one.body)
        if rows >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield block
            block, rows, size = [], 0, 0
    if block:
        yield block


def _digest(block: list[Kept]) -> str:
    sha = sha256()
    for one in block:
        sha.update(b"%d %d " % (one.first, len(one.body)) + one.body)
    return sha.hexdigest()
