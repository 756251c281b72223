"""Sources that are queues of messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.connections import AmqpBroker, NatsServers
from drivetrain.core.sources.streams import Messages

_NatsName = Annotated[str, Field(pattern=r"^[^\s.*>/\\]{1,255}$")]


class NatsSource(Messages, NatsServers):
    """A stream of NATS JetStream: it is read by sequence numbers, from where the last load ended."""

    kind: Literal["nats"]
    stream: _NatsName = Field(description="The name of the stream.")
    subject: Annotated[str, Field(pattern=r"^[^\s]+$")] | None = Field(
        None, description="Only messages of this subject; `*` stands for one token, `>` for all that follow."
    )
    durable: _NatsName | None = Field(
        None,
        description="The durable consumer that acknowledges what was loaded; a stream that deletes "
        "acknowledged messages (retention `workqueue` or `interest`) needs one.",
    )
    metadata: bool = Field(
        False, description="Columns nats_subject, nats_sequence, nats_time and nats_headers as well."
    )
    max_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="The most messages that one load takes.")
    gaps: Literal["refuse", "accept"] = Field(
        "refuse", description="What to do when messages were deleted at the servers before they were loaded."
    )


class AmqpSource(Messages, AmqpBroker):
    """A queue of a broker of AMQP 0-9-1. What is loaded is gone from the queue."""

    kind: Literal["amqp"]
    queue: Annotated[str, Field(min_length=1, max_length=255)] = Field(description="The queue; it must be there.")
    prefetch: Annotated[int, Field(ge=1, le=65_535)] = Field(
        1_000, description="How many messages are taken before they are written down and acknowledged."
    )
    metadata: bool = Field(
        False,
        description="Columns amqp_exchange, _routing_key, _message_id, _timestamp, _received_at and _headers as well.",
    )
    quiet_seconds: Annotated[float, Field(gt=0)] = Field(
        1.0, description="A load ends when the queue was empty for so long."
    )
    max_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="A load of a queue that is never empty ends after so long."
    )
    max_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="The most messages that one load takes.")
    gaps: Literal["refuse", "accept"] = Field(
        "refuse", description="What to do when messages may be lost because the spool on this machine is gone."
    )
