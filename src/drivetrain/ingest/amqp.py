"""The kind ``amqp``: a queue of a broker such as RabbitMQ, by way of a spool on this machine's disk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from drivetrain.connect.place import Place
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.queues import AmqpSource
from drivetrain.ingest.amqp_inbox import AmqpInbox, Posted, read_posted
from drivetrain.ingest.letters import Envelope, Letter, LetterRows
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.spooled import SpooledReader, Unpack

_METADATA = {
    "amqp_exchange": ColumnType.TEXT, "amqp_routing_key": ColumnType.TEXT, "amqp_message_id": ColumnType.TEXT,
    "amqp_timestamp": ColumnType.TIMESTAMP, "amqp_received_at": ColumnType.TIMESTAMP, "amqp_headers": ColumnType.TEXT,
}  # fmt: skip


class AmqpReader(SpooledReader):
    """A Reader of a queue, and a Waiter."""

    def __init__(self, spec: AmqpSource, place: Place) -> None:
        def unpacking() -> Unpack:
            rows = LetterRows(spec, place, spec.queue, _METADATA if spec.metadata else {})

            def unpack(records: Mapping[int, bytes], done: int) -> Batch:
                posted = {number: read_posted(record) for number, record in records.items()}
                return rows.batch([Letter(at, one.content, _envelope(one)) for at, one in posted.items()], done)

            return unpack

        where = f"amqp {spec.broker}, queue {spec.queue}"
        super().__init__(spec, spec.queue, where, lambda: AmqpInbox(spec, place), unpacking)


def _envelope(message: Posted) -> Envelope:
    arrived = datetime.fromtimestamp(message.at / 1e6, UTC).isoformat()
    return (message.exchange, message.routing_key, message.message_id, message.sent, arrived, message.headers)
