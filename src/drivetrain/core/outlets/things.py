"""Outlets that are things: machines and gateways that listen to a broker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from drivetrain.core.connections import MqttBroker
from drivetrain.core.outlets.outgoing import Outgoing


def _topic(topic: str) -> str:
    if not topic or set(topic) & set("+#\0") or topic.startswith("$"):
        raise ValueError(f"{topic!r}: a message is sent to one topic, without `+` and `#`, which does not begin with $")
    return topic


class MqttOutlet(MqttBroker, Outgoing):
    """Topics of an MQTT broker: each prediction is a message of JSON (QoS 1), acknowledged by the broker."""

    kind: Literal["mqtt"]
    topic: Annotated[str, AfterValidator(_topic)] = Field(
        description="Where a prediction goes; `{column}` stands for its value: `decisions/{customer}`."
    )
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = Field(
        "", description="Names the connection, where the broker wants a certain name; else it gives one."
    )
    retain: bool = Field(False, description="The broker keeps the newest message of a topic for whoever comes later.")
