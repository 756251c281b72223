"""Outlets that are streams of messages."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.connections import KafkaBrokers, SchemaRegistry
from drivetrain.core.outlets.outgoing import Outgoing


class KafkaOutlet(KafkaBrokers, Outgoing):
    """A topic of a Kafka cluster: each prediction is a message, acknowledged by all replicas in sync."""

    kind: Literal["kafka"]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="It must be there.")]
    key: str | None = Field(
        None, description="The column that is the message's key, which chooses its partition; else the row's own key."
    )
    format: Literal["json", "avro"] = "json"
    schema_registry: SchemaRegistry | None = Field(None, description="With `format: avro`: who keeps its schema.")
    subject: str | None = Field(None, description="Name of the schema over there; by default `TOPIC-value`.")
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    max_message_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = Field(
        1_000_000, description="The largest message that is sent; the topic's `max.message.bytes` holds as well."
    )

    @model_validator(mode="after")
    def _with_a_registry(self) -> Self:
        if (self.format == "avro") != (self.schema_registry is not None):
            raise ValueError("`format: avro` and `schema_registry` go together")
        return self
