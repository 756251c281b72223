"""What an MQTT broker sends is written to the spool, and acknowledged only then: the broker forgets what it hears of.

A message that was spooled, but whose acknowledgement the broker may not have heard when the connection ended, comes
again. It is told by its DUP flag, its packet number and its content, among the messages of this session that are not
*settled*: the broker has not shown since that it heard us.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from time import monotonic, time_ns

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Transient
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.mqtt_connection import Arrived, Connection
from drivetrain.ingest.spool import Spool, write_durably


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A message in the spool: ``at`` is when it arrived, in microseconds since 1970; ``session`` counts from 1."""

    at: int
    topic: str
    payload: bytes
    retained: bool
    session: int
    packet: int


_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Kept).decode


def read_kept(record: bytes) -> Kept:
    """The message that a record of the spool holds."""
    return _decode(record)


@dataclass(frozen=True)
class Memory:
    """What we know of our session at the broker.

    ``session`` counts the sessions that the broker began, ``topics`` are those it knows of (``is_sure``: the last time
    we came so far as to tell it), ``settled`` is the last record that it surely heard us acknowledge, and with
    ``is_lost`` a session ended at the broker that nobody has looked into since.
    """

    session: int = 0
    topics: tuple[str, ...] = ()
    is_sure: bool = False
    settled: int = 0
    is_lost: bool = False


class MqttInbox:
    """An Inbox of our session at an MQTT broker."""

    def __init__(self, spec: MqttSource, place: Place) -> None:
        self._spec, self._place = spec, place
        folder = place.cache / "mqtt" / digest_of(spec.address, spec.client_id)[:16]
        self.spool = Spool(folder)
        self._file = folder / "session.json"
        self.memory = read_json(self._file.read_bytes(), Memory) if self._file.exists() else Memory()
        self._connection: Connection | None = None
        self._unsettled = self._find_unsettled()

    def connect(self, seconds: float) -> bool:
        """Be connected; whether that was not so before. A broker that does not answer is tried for so long.

        Raises Forbidden, InvalidInput, Refused, NotFound and Transient.
        """
        if self._connection is not None and self._connection.is_open:
            return False
        self.hang_up()
        self._connection = retrying(self._begin, seconds)
        return True

    def collect(self, first: int) -> None:
        """Take what the broker has, until it is silent or the source's limits are reached; ``first`` is read next.

        A connection that is lost in the middle is made again. Raises what ``connect`` raises.
        """
        spec = self._spec
        over = monotonic() + spec.max_seconds
        quiet_at = monotonic() + spec.quiet_seconds
        while monotonic() < min(over, quiet_at) and (spec.max_rows is None or self.spool.next < first + spec.max_rows):
            is_new = self.connect(spec.timeout_seconds)
            with suppress(Transient):
                if self.listen(max(0.0, quiet_at - monotonic())) or is_new:
                    quiet_at = monotonic() + spec.quiet_seconds
        with suppress(Transient):
            self._settle()

    def listen(self, seconds: float) -> bool:
        """Take what comes; whether anything did. Raises Transient when the connection is lost."""
        assert self._connection is not None
        arrived, heard = self._connection.listen(seconds)
        fresh = [message for message in arrived if self._is_wanted(message)]
        now, session = time_ns() // 1_000, self.memory.session
        if fresh:
            kept = [Kept(now, one.topic, one.payload, one.retained, session, one.packet) for one in fresh]
            self.spool.append([_encode(one) for one in kept])
            self._unsettled |= {one.packet: _content(one) for one in fresh if one.packet}
        self._connection.acknowledge([one.packet for one in arrived if one.packet])
        return heard

    @property
    def loss(self) -> str:
        """Said after a session ended at the broker, until somebody has looked into it."""
        gone = "the broker forgot our session, and what it had kept for us since the last load"
        return gone if self.memory.is_lost else ""

    def look_into(self) -> None:
        """A person has seen that a session was lost."""
        if self.memory.is_lost:
            self._remember(replace(self.memory, is_lost=False))

    def forget(self, before: int) -> None:
        """Delete records before the number, but for those by which a message that comes again is told."""
        self.spool.forget(min(before, self.memory.settled + 1))

    def hang_up(self) -> None:
        """End the connection, not the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """End the connection, and let somebody else have the spool."""
        self.hang_up()
        self.spool.close()

    def _begin(self) -> Connection:
        connection, before = Connection(self._spec, self._place), self.memory
        if before.is_sure:
            self._remember(replace(before, is_sure=False))
        try:
            connection.open()
            if not connection.session_present:
                self._unsettled = {}
                lost = before.is_lost or before.session > 0
                self._remember(replace(self.memory, session=before.session + 1, topics=(), is_lost=lost))
            if not (connection.session_present and before.is_sure and before.topics == self._spec.topics):
                gone = [topic for topic in self.memory.topics if topic not in self._spec.topics]
                connection.subscribe(self._spec.topics, gone)
            self._remember(replace(self.memory, topics=self._spec.topics, is_sure=True))
        except BaseException:
            connection.close()
            raise
        return connection

    def _settle(self) -> None:
        last = self.spool.next - 1
        if self._connection is not None and self.memory.settled < last:
            self._connection.settle()
            self._unsettled = {}
            self._remember(replace(self.memory, settled=last))

    def _is_wanted(self, message: Arrived) -> bool:
        if message.retained and self._spec.retained == "skip":
            return False
        return not (message.again and self._unsettled.get(message.packet) == _content(message))

    def _find_unsettled(self) -> dict[int, bytes]:
        kept = (read_kept(record) for _, record in self.spool.records(self.memory.settled + 1))
        return {one.packet: _content(one) for one in kept if one.packet and one.session == self.memory.session}

    def _remember(self, memory: Memory) -> None:
        self.memory = memory
        write_durably(self._file, msgspec.json.encode(memory))


def _content(message: Arrived | Kept) -> bytes:
    return sha256(message.topic.encode() + b"\0" + message.payload).digest()
