"""What stands around the content of a Kafka message, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from drivetrain.core.schema import ColumnType
from drivetrain.ingest.messages import readable

if TYPE_CHECKING:
    from confluent_kafka import Message

METADATA = {
    "kafka_topic": ColumnType.TEXT, "kafka_partition": ColumnType.INTEGER, "kafka_offset": ColumnType.INTEGER,
    "kafka_timestamp": ColumnType.TIMESTAMP, "kafka_key": ColumnType.TEXT, "kafka_headers": ColumnType.TEXT,
}  # fmt: skip


def metadata_columns(messages: Sequence[Message]) -> dict[str, pa.StringArray]:
    """The columns of ``METADATA``, as text [messages]."""
    rows = list(map(_row, messages))
    return {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(METADATA)}


def _row(message: Message) -> tuple[str | None, ...]:
    _, milliseconds = message.timestamp()
    when = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat() if milliseconds >= 0 else None
    key, headers = message.key(), message.headers()
    pairs = [(name, None if value is None else readable(value)) for name, value in headers or ()]
    return (
        message.topic(),
        str(message.partition()),
        str(message.offset()),
        when,
        None if key is None else readable(key),
        msgspec.json.encode(pairs).decode() if pairs else None,
    )
