"""The kind ``mqtt``: what a broker keeps for our session, by way of a spool on this machine's disk."""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.connect.place import Place
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.mqtt_inbox import MqttInbox, read_kept
from drivetrain.ingest.mqtt_rows import MessageRows
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.spooled import SpooledReader, Unpack


class MqttReader(SpooledReader):
    """A Reader of MQTT topics, and a Waiter. Its first contact begins the session: from then on messages are kept."""

    def __init__(self, spec: MqttSource, place: Place) -> None:
        def unpacking() -> Unpack:
            rows = MessageRows(spec)

            def unpack(records: Mapping[int, bytes], done: int) -> Batch:
                return rows.batch({number: read_kept(record) for number, record in records.items()}, done)

            return unpack

        where = f"mqtt {spec.broker}, client {spec.client_id}"
        super().__init__(spec, spec.client_id, where, lambda: MqttInbox(spec, place), unpacking)
