"""A connection in our session at an MQTT broker: what it sends us, and what we tell it to forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivetrain.connect.mqtt import Line
from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, Refused
from drivetrain.core.sources.things import MqttSource

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_AT_ONCE = 1_000  # messages that may be on their way to us, and that are taken before they are written down


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
        self._line = Line(spec, place, spec.client_id, is_kept=True)
        self._client = self._line.client
        self._client.on_message = self._arrive
        self._client.on_subscribe = self._answer
        self._client.on_unsubscribe = self._answer
        self._answers: dict[int, list[ReasonCode]] = {}
        self._arrived: list[Arrived] = []

    def open(self) -> None:
        """Connect. Raises Forbidden, InvalidInput and Transient."""
        self._line.open(_wishes(self._spec) if self._spec.protocol == 5 else None, self._spec.timeout_seconds)

    @property
    def session_present(self) -> bool:
        """Whether the broker had kept our session."""
        return self._line.session_present

    def subscribe(self, topics: Sequence[str], gone: Sequence[str]) -> None:
        """Wish for these topics in the session, and no longer for those ``gone``. Raises Forbidden and Refused."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if self._spec.protocol == 5:
            wish = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            _, question = self._client.subscribe([(topic, wish) for topic in topics])
        else:
            _, question = self._client.subscribe([(topic, 1) for topic in topics])
        for topic, granted in zip(topics, self._asked(question), strict=True):
            where = f"{self._line.where}, topic {topic}"
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
        heard = self._line.step(seconds)
        while len(self._arrived) < _AT_ONCE and self._line.step(0):
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
        self._line.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return self._line.is_open

    def _asked(self, question: int | None) -> list[ReasonCode]:
        if question is None:
            raise self._line.lost()
        self._line.until(lambda: question in self._answers, self._spec.timeout_seconds)
        return self._answers.pop(question)

    def _arrive(self, _c: Client, _u: None, message: MQTTMessage) -> None:
        packet = message.mid if message.qos else 0
        self._arrived.append(Arrived(message.topic, bytes(message.payload), packet, message.dup, message.retain))

    def _answer(self, _c: Client, _u: None, question: int, codes: list[ReasonCode], _p: Properties | None) -> None:
        self._answers[question] = list(codes)


def _wishes(spec: MqttSource) -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as the library has it
    wishes.SessionExpiryInterval = int(spec.session_days * 86_400)
    wishes.ReceiveMaximum = _AT_ONCE
    return wishes
