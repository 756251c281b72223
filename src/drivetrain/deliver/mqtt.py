"""The kind ``mqtt``: each row is a message with QoS 1, acknowledged by the broker before its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivetrain.connect.mqtt import Line
from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError, Forbidden, Transient
from drivetrain.core.outlets.things import MqttOutlet as MqttSpec
from drivetrain.deliver.json_rows import Row, as_json, rows_of
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.deliver.templates import Template

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_PROPERTY = "idempotency-key"
_LONGEST_TOPIC = 65_535  # bytes (MQTT 5.0, 1.5.4)
_AROUND = 100  # bytes of a packet besides topic, content and key
_NOT_ALLOWED = 135
_OF_THE_MESSAGE = {131, 144, 149, 153}  # not willing to, topic, size, format (MQTT 5.0, 3.4.2.1)


class MqttOutlet:
    """An Outlet that is topics of a broker."""

    def __init__(self, spec: MqttSpec, place: Place) -> None:
        self._spec, self._place = spec, place
        self._topic = Template(spec.topic, "topic")
        self._line: Line | None = None
        self._answers: dict[int, ReasonCode] = {}

    def check(self) -> str:
        """Connect. Raises what ``send`` raises."""
        self._open()
        return f"the broker {self._spec.broker} takes the login"

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """A receipt for each row: its topic; or why there is none, or what the broker has against the message.

        Raises Transient, Forbidden, Refused and InvalidInput.
        """
        self._topic.check(parcel.rows.column_names)
        try:
            return self._published(parcel)
        except Transient:
            self.close()
            if len(parcel.keys) > 1:  # a broker that says no may hang up before it is heard; to one alone it is
                self.send(Parcel(parcel.rows.slice(0, 1), parcel.keys[:1], parcel.numbers[:1]))
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _published(self, parcel: Parcel) -> tuple[Receipt, ...]:
        line = self._open()
        self._answers = {}
        receipts, sent = dict[int, Receipt](), dict[int, tuple[int, str]]()
        for at, (row, key) in enumerate(zip(rows_of(parcel), parcel.keys, strict=True)):
            topic, content = str(self._topic.value(row)), as_json(row)
            if why := self._objection(row, topic, len(content) + len(key), line.packet_bytes):
                receipts[at] = Receipt(False, why)
                continue
            told = line.client.publish(topic, content, 1, self._spec.retain, properties=self._properties(key))
            sent[at] = told.mid, topic
        while len(self._answers) < len(sent):
            self._wait_for_one(line)
        receipts |= {at: _receipt(line, topic, self._answers[packet]) for at, (packet, topic) in sent.items()}
        return tuple(receipts[at] for at in sorted(receipts))

    def _wait_for_one(self, line: Line) -> None:
        there = len(self._answers)
        line.until(lambda: len(self._answers) > there)

    def _objection(self, row: Row, topic: str, size: int, most: int) -> str:
        """Why this row cannot be a message; empty when it can."""
        for value in self._topic.values(row):
            if not value or set(value) & set("+#/\0"):
                return f"{value!r} cannot be a level of a topic" if value else "a value in the topic is missing"
        length = len(topic.encode())
        if length > _LONGEST_TOPIC:
            return "its topic is too long"
        return f"it is larger than the {most:,} bytes of a message" if size + length + _AROUND > most else ""

    def _open(self) -> Line:
        if self._line is not None:
            try:
                self._line.step(0)
            except DrivetrainError:  # the broker hung up on us, who had nothing to say for a while
                self.close()
        if self._line is None:
            line = Line(self._spec, self._place, self._spec.client_id, is_kept=False)
            line.client.on_publish = self._answer
            try:
                line.open()
            except BaseException:
                line.close()
                raise
            self._line = line
        return self._line

    def _properties(self, key: str) -> Properties | None:
        """The key as a user property, where MQTT has them."""
        if self._spec.protocol != 5:
            return None
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # as the library has it
        properties.ContentType = "application/json"
        properties.UserProperty = (_PROPERTY, key)
        return properties

    def _answer(self, _c: Client, _u: None, packet: int, code: ReasonCode, _p: Properties | None) -> None:
        self._answers[packet] = code


def _receipt(line: Line, topic: str, code: ReasonCode) -> Receipt:
    """What an acknowledgement says. Raises Forbidden, or Transient for what is no row's fault."""
    if not code.is_failure:
        return Receipt(True, topic)
    if code.value in _OF_THE_MESSAGE:
        return Receipt(False, f"{topic}: {code}")
    if code.value == _NOT_ALLOWED:
        hint = f"allow the user to publish to {topic} at the broker"
        raise Forbidden("mqtt_forbidden", f"the broker does not allow it: {code}", where=line.where, hint=hint)
    raise line.failure(str(code))
