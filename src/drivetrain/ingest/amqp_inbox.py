"""What an AMQP broker gives is written to the spool, and acknowledged only then: the broker forgets what it hears of.

Messages are taken window by window. While we write a window down, the broker holds exactly its messages for us; they
are acknowledged together, and the next window begins when the broker has answered that it heard so, and the disk
knows. So after a kill the messages of the last window come again, all of them or none: those that are marked as
delivered before, and are the same as one in the spool that is not *settled*.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from hashlib import sha256
from time import monotonic, time_ns

import msgspec

from drivetrain.connect.amqp import Delivery, Line
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.sources.queues import AmqpSource
from drivetrain.ingest.spool import Spool, write_durably


class Posted(msgspec.Struct, frozen=True, array_like=True):
    """A message in the spool: ``at`` is when it arrived, in microseconds since 1970; ``sent`` is ISO 8601 in UTC."""

    at: int
    exchange: str
    routing_key: str
    message_id: str | None
    sent: str | None
    headers: str | None
    content: bytes


class Settled(msgspec.Struct, frozen=True):
    """The last record of the spool whose acknowledgement the broker surely heard."""

    last: int = 0


_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Posted).decode


def read_posted(record: bytes) -> Posted:
    """The message that a record of the spool holds."""
    return _decode(record)


class AmqpInbox:
    """An Inbox of a queue of an AMQP broker."""

    def __init__(self, spec: AmqpSource, place: Place) -> None:
        self._spec, self._place = spec, place
        folder = place.cache / "amqp" / digest_of(spec.address, spec.virtual_host, spec.queue)[:16]
        self.spool = Spool(folder)
        self._file = folder / "settled.json"
        self._settled = read_json(self._file.read_bytes(), Settled).last if self._file.exists() else 0
        self._unsettled = Counter(_digest(read_posted(one)) for _, one in self.spool.records(self._settled + 1))
        self._line: Line | None = None
        self._waiting = 0

    @property
    def loss(self) -> str:
        """The broker loses nothing behind our back that we could know of."""
        return ""

    def look_into(self) -> None:
        """There is nothing to see."""

    def connect(self, seconds: float) -> bool:
        """Be connected, and know that the queue is there."""
        if self._line is not None:
            return False
        self._line = retrying(self._begin, seconds)
        return True

    def collect(self, first: int) -> None:
        """Window by window, until the queue is empty or the source's limits are reached.

        A connection that is lost in the middle is made again.
        """
        spec, over = self._spec, monotonic() + self._spec.max_seconds
        wanted = first + spec.max_rows if spec.max_rows is not None else None
        while monotonic() < over and (wanted is None or self.spool.next < wanted):
            most = spec.prefetch if wanted is None else min(spec.prefetch, wanted - self.spool.next)
            self.connect(spec.timeout_seconds)
            with suppress(Transient):
                if not self._take(most + self._unsettled.total(), spec.quiet_seconds):
                    self._check_empty()
                    return

    def listen(self, seconds: float) -> bool:
        """One window."""
        return self._take(self._spec.prefetch, seconds)

    def forget(self, before: int) -> None:
        """Delete records before the number, but for those that are not settled."""
        self.spool.forget(min(before, self._settled + 1))

    def hang_up(self) -> None:
        """End the connection. What was taken and not acknowledged stays in the queue."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        """End the connection, and let somebody else have the spool."""
        self.hang_up()
        self.spool.close()

    def _begin(self) -> Line:
        line = Line(self._spec, self._place)
        try:
            self._waiting = line.waiting(self._spec.queue)
        except BaseException:
            line.close()
            raise
        return line

    def _take(self, most: int, seconds: float) -> bool:
        """Take a window, waiting so many seconds for its first message; whether there was one."""
        assert self._line is not None
        written = Counter[bytes]()
        try:
            window = self._line.gather(self._spec.queue, most, seconds)
            written = self._keep(window)
            if window:
                self._line.acknowledge(window[-1].tag)
                self._waiting = self._line.waiting(self._spec.queue)
        except Transient:
            self._unsettled += written
            self.hang_up()
            raise
        self._settle(window)
        return bool(window)

    def _check_empty(self) -> None:
        """A queue that has messages, and gives us none, is none that we can read."""
        if self._line is not None and self._waiting and self._line.waiting(self._spec.queue):
            raise InvalidInput(
                "amqp_setting",
                f"{self._waiting:,} messages wait in the queue, and none is given to us",
                where=f"amqp {self._spec.broker}, queue {self._spec.queue}",
                hint="another consumer may have it: it lets one at a time, or prefers the other",
            )

    def _keep(self, window: list[Delivery]) -> Counter[bytes]:
        """Write down what is not there yet; gives its digests."""
        now, records, written = time_ns() // 1_000, list[bytes](), Counter[bytes]()
        for one in window:
            posted = Posted(now, one.exchange, one.routing_key, one.message_id, one.sent, one.headers, one.content)
            digest = _digest(posted)
            if one.again and self._unsettled[digest]:
                self._unsettled[digest] -= 1
            else:
                records.append(_encode(posted))
                written[digest] += 1
        if records:
            self.spool.append(records)
        return written

    def _settle(self, window: list[Delivery]) -> None:
        """The broker heard us. What may still come again of an earlier window is not settled."""
        if all(one.again for one in window) and window and self._unsettled.total():
            return
        self._unsettled.clear()
        if self._settled < self.spool.next - 1:
            self._settled = self.spool.next - 1
            write_durably(self._file, msgspec.json.encode(Settled(self._settled)))


def _digest(message: Posted) -> bytes:
    """What makes it the same message when it comes again."""
    return sha256(_encode(msgspec.structs.replace(message, at=0))).digest()
