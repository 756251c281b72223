"""Sources that are queues of messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.connections import NatsServers
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
