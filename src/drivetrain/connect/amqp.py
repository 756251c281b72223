"""A connection to a broker of AMQP 0-9-1, driven by whoever uses it: nothing happens between two calls."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.tls import client_context, not_encrypted
from drivetrain.core.connections import AmqpBroker
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, MissingExtra, NotFound, Transient

if TYPE_CHECKING:
    from amqp import Connection, Message

_ANSWER_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_COUNTS = {"x-delivery-count", "x-acquired-count"}
"""Headers that are others when a message comes again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came.

    ``sent`` is in ISO 8601 and UTC. ``again``: it was on its way to somebody before. ``tag`` is its number on the wire.
    """

    exchange: str
    routing_key: str
    message_id: str | None
    sent: str | None
    headers: str | None
    content: bytes
    again: bool
    tag: int


class Line:
    """One connection with one channel; it is not made again.

    Every method raises Transient when the connection is lost, Forbidden, InvalidInput or NotFound when the broker says
    why it does not do it.
    """

    def __init__(self, broker: AmqpBroker, place: Place) -> None:
        """Connect. Raises also MissingExtra, and NotFound for a missing credential."""
        try:
            from amqp import Connection
        except ImportError:
            raise MissingExtra("amqp", "amqp") from None
        self.where = f"amqp {broker.broker}"
        password = place.secrets.get(broker.password) if broker.password else "guest"
        host, port = broker.address
        self._connection: Connection = Connection(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}", broker.user, password,
            virtual_host=broker.virtual_host, ssl=_tls(broker, place, self.where), connect_timeout=_ANSWER_SECONDS,
            read_timeout=_ANSWER_SECONDS, write_timeout=_ANSWER_SECONDS, client_properties={"product": "drivetrain"},
        )  # fmt: skip
        try:
            with self._told():
                self._connection.connect()
                self._channel = self._connection.channel()
                self._channel.auto_decode = False
        except BaseException:
            self._connection.collect()
            raise

    def waiting(self, queue: str) -> int:
        """How many messages wait in the queue. Raises NotFound without it.

        The broker answers in order: it has heard everything that it was told before.
        """
        with self._told(queue):
            return int(self._channel.queue_declare(queue, passive=True).message_count)

    def gather(self, queue: str, most: int, seconds: float) -> list[Delivery]:
        """Messages, at most ``most``: the broker holds these for us until they are acknowledged, and no others.

        It waits for the first so many seconds, and takes then what comes without a pause.
        """
        found: list[Delivery] = []
        with self._told(queue):
            self._channel.basic_qos(0, most, False)
            tag = self._channel.basic_consume(queue, callback=lambda message: found.append(_delivery(message)))
            until = monotonic() + seconds
            while len(found) < most and (left := until - monotonic()) > 0:
                with suppress(TimeoutError):
                    self._connection.drain_events(timeout=left)
                    until = monotonic() + min(seconds, _PAUSE_SECONDS)
            self._channel.basic_cancel(tag)  # what is on its way still arrives before the broker's answer
        return found

    def acknowledge(self, tag: int) -> None:
        """Tell the broker that it may forget this message, and all that came before it."""
        with self._told():
            self._channel.basic_ack(tag, multiple=True)

    def close(self) -> None:
        """Part in peace."""
        from amqp.exceptions import AMQPError

        with suppress(AMQPError, OSError):
            self._connection.close()
        self._connection.collect()

    @contextmanager
    def _told(self, queue: str = "") -> Iterator[None]:
        from amqp.exceptions import AMQPError

        try:
            yield
        except (AMQPError, OSError) as error:
            raise self._failure(error, queue) from None

    def _failure(self, error: Exception, queue: str) -> DrivetrainError:
        from amqp import exceptions

        where = f"{self.where}, queue {queue}" if queue else self.where
        said = getattr(error, "reply_text", "") or str(error) or type(error).__name__
        match error:
            case exceptions.NotFound():
                hint = "correct `queue` and `virtual_host`; a queue is declared by those who send to it"
                return NotFound("queue_unknown", f"there is no such queue: {said}", where=where, hint=hint)
            case exceptions.AccessRefused() if not queue:
                hint = "correct `user` and the credential that `password` names"
                return Forbidden("amqp_login_refused", "the broker refuses the login", where=where, hint=hint)
            case exceptions.AccessRefused() | exceptions.NotAllowed():
                hint = "correct `virtual_host`; grant READ on the queue (`rabbitmqctl set_permissions`)"
                return Forbidden("amqp_forbidden", f"the broker does not allow it: {said}", where=where, hint=hint)
            case exceptions.ResourceLocked() | exceptions.PreconditionFailed() | exceptions.AMQPNotImplementedError():
                hint = "the queue is another's alone, or of a sort that cannot be read this way"
                return InvalidInput("amqp_setting", f"the broker does not take it: {said}", where=where, hint=hint)
            case ssl.SSLError():
                what, hint = not_encrypted(error, "broker")
                return InvalidInput("amqp_setting", what, where=where, hint=hint)
        hint = "see whether the broker runs, and `broker` and `tls` are right; then run the same command again"
        return Transient("amqp_unreachable", f"the broker does not answer: {said}", where=where, hint=hint)


def _tls(broker: AmqpBroker, place: Place, where: str) -> dict[str, str | None] | bool:
    """What the client library makes a context of; that it can is tried before, where files have names."""
    if broker.tls is None:
        return False
    client_context(broker.tls, place.home, "amqp_setting", where)
    files = {"ca_certs": broker.tls.ca, "certfile": broker.tls.certificate, "keyfile": broker.tls.key}
    paths = {name: str(place.home / file) if file else None for name, file in files.items()}
    return {**paths, "server_hostname": broker.address[0]}


def _delivery(message: Message) -> Delivery:
    about, properties = message.delivery_info, message.properties
    headers = properties.get("application_headers") or {}
    headers = {name: value for name, value in headers.items() if name not in _COUNTS}
    return Delivery(
        about["exchange"], about["routing_key"], properties.get("message_id"), _moment(properties.get("timestamp")),
        msgspec.json.encode(headers, enc_hook=str).decode() if headers else None, bytes(message.body),
        bool(about["redelivered"]), int(about["delivery_tag"]),
    )  # fmt: skip


def _moment(seconds: int | None) -> str | None:
    """Seconds since 1970, or, as some senders have it, milliseconds; None where it is neither."""
    if seconds is None:
        return None
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC).isoformat()
    return None
