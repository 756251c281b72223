"""Sources that are streams of messages."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.connections import KafkaBrokers, SchemaRegistry
from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec

MessageFormat = Literal["json", "avro", "protobuf", "text"]


class Messages(Spec):
    """What the messages of a source are, and how they become rows."""

    format: MessageFormat = "json"
    schema_registry: SchemaRegistry | None = None
    schema_file: str | None = Field(
        None, description="Instead of a registry: an Avro schema (.avsc), or a set of Protobuf descriptors."
    )
    message: str | None = Field(None, description="With a file of Protobuf descriptors: the message's full name.")
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep nested objects become columns with dotted names; what is deeper stays JSON."
    )
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="How long a broker or a registry that does not answer is tried."
    )
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        if self.format in {"avro", "protobuf"} and (self.schema_registry is None) == (self.schema_file is None):
            raise ValueError(f"`format: {self.format}` needs `schema_registry` or `schema_file`, one of them")
        if self.format == "protobuf" and self.schema_file is not None and self.message is None:
            raise ValueError("`schema_file` of Protobuf needs `message`, the full name of the message")
        return self


class KafkaSource(Messages, KafkaBrokers):
    """Topics of a Kafka cluster: each partition is read from where the last load ended."""

    kind: Literal["kafka"]
    topics: Annotated[
        tuple[str, ...], Field(min_length=1, description="Names; or regular expressions, which start with ^.")
    ]
    group: str | None = Field(
        None, description="The consumer group whose offsets follow the loads, for tools that show lag."
    )
    start: Literal["earliest", "latest"] = Field("earliest", description="Where the first load begins.")
    metadata: bool = Field(
        False, description="Columns kafka_topic, _partition, _offset, _timestamp, _key and _headers as well."
    )
    upserts: bool = Field(False, description="A message replaces the row with the same `contract.key`.")
    max_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="The most messages that one load takes.")
    gaps: Literal["refuse", "accept"] = Field(
        "refuse", description="What to do when messages were deleted at the brokers before they were loaded."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.upserts and not self.contract.key:
            raise ValueError("`upserts: true` needs `contract.key`")
        return self
