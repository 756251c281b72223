"""A connection to an MQTT broker, driven by whoever uses it: nothing happens between two of its steps."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from drivetrain.connect.place import Place
from drivetrain.connect.tls import client_context, not_encrypted
from drivetrain.core.connections import MqttBroker
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, MissingExtra, Refused, Transient

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_ANSWER_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 60
_TAKEN_OVER = 142
_LONGEST = 268_435_455  # bytes of a packet (MQTT 5.0, 1.5.5), but for its first five


class Line:
    """One connection; it is not made again. ``client`` is the library's, ``packet_bytes`` the largest that is taken.

    Every method raises Transient when the connection is lost, Forbidden, InvalidInput or Refused when the broker says
    why it ended it.
    """

    def __init__(self, broker: MqttBroker, place: Place, client_id: str, *, is_kept: bool) -> None:
        """``is_kept``: the broker keeps the session when the connection ends, and hears from us what it may forget.

        Raises MissingExtra, InvalidInput for files that cannot be used, NotFound for a missing credential.
        """
        self._broker, self._is_kept = broker, is_kept
        self.client = _client(broker, place, client_id, is_kept=is_kept)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self._said: ReasonCode | None = None
        self.session_present = False
        self.packet_bytes = _LONGEST
        self.where = f"mqtt {broker.broker}"

    def open(self, wishes: Properties | None = None, seconds: float = _ANSWER_SECONDS) -> None:
        """Connect. ``wishes`` are for brokers of MQTT 5."""
        host, port = self._broker.address
        try:
            if self._broker.protocol == 5:
                clean = not self._is_kept
                self.client.connect(host, port, _KEEP_ALIVE_SECONDS, clean_start=clean, properties=wishes)
            else:
                self.client.connect(host, port, _KEEP_ALIVE_SECONDS)
        except OSError as error:
            raise self.failure(error) from None
        self.until(lambda: self._said is not None, seconds)
        if self._said is not None and self._said.is_failure:
            raise self._refusal(self._said)

    def step(self, seconds: float) -> bool:
        """Read one packet, if one comes within so many seconds; whether there were bytes."""
        socket = self.client.socket()
        if socket is None:
            raise self.lost()
        writing = [socket] if self.client.want_write() else []
        is_pending = isinstance(socket, ssl.SSLSocket) and socket.pending() > 0
        readable, writable, _ = select.select([socket], writing, [], 0 if is_pending else seconds)
        if writable:
            self.client.loop_write()
        if readable or is_pending:
            self.client.loop_read()
        self.client.loop_misc()
        if self.client.socket() is None:
            raise self.lost()
        return bool(readable) or is_pending

    def until(self, is_done: Callable[[], bool], seconds: float = _ANSWER_SECONDS) -> None:
        """Go on until something is so. Raises Transient when that takes longer."""
        until = monotonic() + min(_ANSWER_SECONDS, seconds)
        while not is_done():
            if monotonic() > until:
                raise self.failure("no answer in time")
            self.step(0.2)

    def lost(self) -> DrivetrainError:
        """The error for a connection that ended."""
        if self._said is not None and self._said.is_failure:
            return self._refusal(self._said)
        return self.failure("the connection was lost")

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return bool(self.client.is_connected())

    def close(self) -> None:
        """Part in peace."""
        self.client.disconnect()

    def _connected(self, _c: Client, _u: None, flags: ConnectFlags, code: ReasonCode, told: Properties | None) -> None:
        self.session_present, self._said = bool(flags.session_present), code
        self.packet_bytes = getattr(told, "MaximumPacketSize", _LONGEST)

    def _disconnected(
        self, _c: Client, _u: None, flags: DisconnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server or (self._said is None and code.is_failure):
            self._said = code

    def _refusal(self, code: ReasonCode) -> DrivetrainError:
        """What the broker's reason code (MQTT 5.0, 2.4) means for the user."""
        if code.value in {134, 135, 138, 140}:
            hint = "correct `user` and the credential that `password` names, or `tls.certificate`"
            return Forbidden("mqtt_login_refused", f"the broker refuses the login: {code}", where=self.where, hint=hint)
        if code.value == _TAKEN_OVER:
            hint = "somebody else connects with this `client_id`: give each source and each project one of its own"
            return Refused("mqtt_session_taken", "another client took our session", where=self.where, hint=hint)
        if code.value in {132, 133, 144, 149, 154, 155}:
            hint = "correct `protocol`, `client_id` or the topics as the message says"
            return InvalidInput("mqtt_setting", f"the broker does not take it: {code}", where=self.where, hint=hint)
        return self.failure(str(code))

    def failure(self, cause: OSError | str) -> DrivetrainError:
        """The error for what the system or the broker says."""
        if isinstance(cause, ssl.SSLError):
            what, hint = not_encrypted(cause, "broker")
            return InvalidInput("mqtt_setting", what, where=self.where, hint=hint)
        hint = "see whether the broker runs, and `broker` and `tls` are right, then run the same command again"
        return Transient("mqtt_unreachable", f"the broker does not answer: {cause}", where=self.where, hint=hint)


def _client(broker: MqttBroker, place: Place, client_id: str, *, is_kept: bool) -> Client:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError:
        raise MissingExtra("paho-mqtt", "mqtt") from None
    is_new = broker.protocol == 5
    client = Client(
        CallbackAPIVersion.VERSION2, client_id, clean_session=None if is_new else not is_kept,
        protocol=MQTTProtocolVersion.MQTTv5 if is_new else MQTTProtocolVersion.MQTTv311, manual_ack=is_kept,
        reconnect_on_failure=False,
    )  # fmt: skip
    if broker.user is not None:
        client.username_pw_set(broker.user, place.secrets.get(broker.password) if broker.password else None)
    if broker.tls is not None:
        context = client_context(broker.tls, place.home, "mqtt_setting", f"mqtt {broker.broker}")
        context.sslsocket_class = _Tidy
        client.tls_set_context(context)
    return client


class _Tidy(ssl.SSLSocket):
    """The library forgets to close a socket that comes to no agreement."""

    def do_handshake(self, block: bool = False) -> None:
        """As usual. Raises OSError."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
