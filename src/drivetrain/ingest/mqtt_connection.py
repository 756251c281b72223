"""A connection to an MQTT broker, driven by whoever reads: nothing happens between two calls of ``listen``."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, MissingExtra, Refused, Transient
from drivetrain.core.sources.things import MqttSource

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_ANSWER_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 60
_AT_ONCE = 1_000  # messages that may be on their way to us, and that are taken before they are written down
_TAKEN_OVER = 142


@dataclass(frozen=True)
class Arrived:
    """A message. ``packet`` is its number on the wire (0: it wants no acknowledgement), ``again`` its DUP flag."""

    topic: str
    payload: bytes
    packet: int
    again: bool
    retained: bool


class Connection:
    """One connection in our persistent session. Raises Transient when it is lost."""

    def __init__(self, spec: MqttSource, place: Place) -> None:
        self._spec = spec
        self._client = _client(spec, place)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrive
        self._client.on_subscribe = self._answer
        self._client.on_unsubscribe = self._answer
        self._said: ReasonCode | None = None
        self._answers: dict[int, list[ReasonCode]] = {}
        self._arrived: list[Arrived] = []
        self.session_present = False

    def open(self) -> None:
        """Connect. Raises Forbidden, InvalidInput and Transient."""
        host, port = self._spec.address
        try:
            if self._spec.protocol == 5:
                self._client.connect(host, port, _KEEP_ALIVE_SECONDS, clean_start=False, properties=_wishes(self._spec))
            else:
                self._client.connect(host, port, _KEEP_ALIVE_SECONDS)
        except OSError as error:
            raise self._failure(error) from None
        self._until(lambda: self._said is not None)
        if self._said is not None and self._said.is_failure:
            raise self._refusal(self._said)

    def subscribe(self, topics: Sequence[str], gone: Sequence[str]) -> None:
        """Wish for these topics in the session, and no longer for those ``gone``. Raises Forbidden and Refused."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if self._spec.protocol == 5:
            wish = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            _, question = self._client.subscribe([(topic, wish) for topic in topics])
        else:
            _, question = self._client.subscribe([(topic, 1) for topic in topics])
        for topic, granted in zip(topics, self._asked(question), strict=True):
            where = f"{self._where}, topic {topic}"
            if granted.is_failure:
                hint = f"allow the user to subscribe to {topic} at the broker"
                raise Forbidden("mqtt_forbidden", f"the broker does not allow it: {granted}", where=where, hint=hint)
            if granted.value < 1:
                hint = "raise the broker's highest quality of service (mosquitto: `max_qos`)"
                raise Refused("mqtt_quality", "the broker grants no acknowledgements (QoS 0)", where=where, hint=hint)
        if gone:
            self._asked(self._client.unsubscribe(list(gone))[1])

    def listen(self, seconds: float) -> tuple[list[Arrived], bool]:
        """The messages that come, and whether anything did; waits ``seconds`` at most for the first byte."""
        heard = self._step(seconds)
        while len(self._arrived) < _AT_ONCE and self._step(0):
            pass
        arrived, self._arrived = self._arrived, []
        return arrived, heard

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Tell the broker that it may forget these messages."""
        for packet in packets:
            self._client.ack(packet, 1)

    def settle(self) -> None:
        """Wait until the broker has heard all acknowledgements: it answers in the order in which it is asked.

        (The question is one that changes nothing: not to wish any longer for what nobody wished for.)
        """
        self._asked(self._client.unsubscribe(f"drivetrain/{self._spec.client_id}/nothing")[1])

    def close(self) -> None:
        """Part in peace; the session stays."""
        self._client.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return bool(self._client.is_connected())

    @property
    def _where(self) -> str:
        return f"mqtt {self._spec.broker}"

    def _step(self, seconds: float) -> bool:
        """Read one packet, if there is one; whether there were bytes."""
        socket = self._client.socket()
        if socket is None:
            raise self._lost()
        writing = [socket] if self._client.want_write() else []
        is_pending = isinstance(socket, ssl.SSLSocket) and socket.pending() > 0
        readable, writable, _ = select.select([socket], writing, [], 0 if is_pending else seconds)
        if writable:
            self._client.loop_write()
        if readable or is_pending:
            self._client.loop_read()
        self._client.loop_misc()
        if self._client.socket() is None:
            raise self._lost()
        return bool(readable) or is_pending

    def _until(self, is_done: Callable[[], bool]) -> None:
        until = monotonic() + min(_ANSWER_SECONDS, self._spec.timeout_seconds)
        while not is_done():
            if monotonic() > until:
                raise self._failure("no answer in time")
            self._step(0.2)

    def _asked(self, question: int | None) -> list[ReasonCode]:
        if question is None:
            raise self._lost()
        self._until(lambda: question in self._answers)
        return self._answers.pop(question)

    def _connected(self, _c: Client, _u: None, flags: ConnectFlags, code: ReasonCode, _p: Properties | None) -> None:
        self.session_present, self._said = bool(flags.session_present), code

    def _disconnected(
        self, _c: Client, _u: None, flags: DisconnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server or (self._said is None and code.is_failure):
            self._said = code

    def _arrive(self, _c: Client, _u: None, message: MQTTMessage) -> None:
        packet = message.mid if message.qos else 0
        self._arrived.append(Arrived(message.topic, bytes(message.payload), packet, message.dup, message.retain))

    def _answer(self, _c: Client, _u: None, question: int, codes: list[ReasonCode], _p: Properties | None) -> None:
        self._answers[question] = list(codes)

    def _lost(self) -> DrivetrainError:
        if self._said is not None and self._said.is_failure:
            return self._refusal(self._said)
        return self._failure("the connection was lost")

    def _refusal(self, code: ReasonCode) -> DrivetrainError:
        """What the broker's reason code (MQTT 5.0, 2.4) means for the user."""
        if code.value in {134, 135, 138, 140}:
            hint = "correct `user` of the source and the credential that `password` names, or `tls.certificate`"
            return Forbidden(
                "mqtt_login_refused", f"the broker refuses the login: {code}", where=self._where, hint=hint
            )
        if code.value == _TAKEN_OVER:
            hint = "somebody else connects with this `client_id`: give each source and each project one of its own"
            return Refused("mqtt_session_taken", "another client took our session", where=self._where, hint=hint)
        if code.value in {132, 133, 144, 149}:
            hint = "correct `protocol`, `client_id` or `topics` of the source as the message says"
            return InvalidInput("mqtt_setting", f"the broker does not take it: {code}", where=self._where, hint=hint)
        return self._failure(str(code))

    def _failure(self, cause: OSError | str) -> DrivetrainError:
        if isinstance(cause, ssl.SSLError):
            hint = "name the authority of its certificate in `tls.ca`, and in `broker` the host that it is made out to"
            what = cause.reason or type(cause).__name__
            return InvalidInput("mqtt_setting", f"no encrypted connection: {what}", where=self._where, hint=hint)
        hint = "see whether the broker runs and `broker` is right, then run the same command again"
        return Transient("mqtt_unreachable", f"the broker does not answer: {cause}", where=self._where, hint=hint)


def _client(spec: MqttSource, place: Place) -> Client:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError:
        raise MissingExtra("paho-mqtt", "mqtt") from None
    version, kept = (MQTTProtocolVersion.MQTTv5, None) if spec.protocol == 5 else (MQTTProtocolVersion.MQTTv311, False)
    client = Client(
        CallbackAPIVersion.VERSION2, spec.client_id, clean_session=kept, protocol=version, manual_ack=True,
        reconnect_on_failure=False,
    )  # fmt: skip
    if spec.user is not None:
        client.username_pw_set(spec.user, place.secrets.get(spec.password) if spec.password else None)
    if spec.tls is not None:
        client.tls_set_context(_tls(spec, place))
    return client


def _tls(spec: MqttSource, place: Place) -> ssl.SSLContext:
    assert spec.tls is not None
    try:
        context = ssl.create_default_context(cafile=str(place.home / spec.tls.ca) if spec.tls.ca else None)
        if spec.tls.certificate is not None and spec.tls.key is not None:
            context.load_cert_chain(place.home / spec.tls.certificate, place.home / spec.tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        hint = "correct `ca`, `certificate` and `key` below `tls`: PEM files, the key without a pass phrase"
        what = f"a file of `tls` cannot be used: {error}"
        raise InvalidInput("mqtt_setting", what, where=f"mqtt {spec.broker}", hint=hint) from None
    return context


def _wishes(spec: MqttSource) -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as the library has it
    wishes.SessionExpiryInterval = int(spec.session_days * 86_400)
    wishes.ReceiveMaximum = _AT_ONCE
    return wishes
