"""Sources that are things: machines and sensors which send messages to a broker."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.connections import MqttBroker
from drivetrain.core.contract import Contract


def _filter(topic: str) -> str:
    levels = topic.split("/")
    if not topic or "#" in "".join(levels[:-1]) or any(len(level) > 1 and set(level) & set("+#") for level in levels):
        raise ValueError(f"{topic!r}: `+` stands for one whole level of a topic, `#` for all levels at its end")
    return topic


class MqttSource(MqttBroker):
    """Topics of an MQTT broker. It keeps what is sent while no load runs, in a session named by `client_id`."""

    kind: Literal["mqtt"]
    topics: Annotated[tuple[Annotated[str, AfterValidator(_filter)], ...], Field(min_length=1)] = Field(
        description="Topics, with the wildcards `+` (one level) and `#` (all below)."
    )
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = Field(
        description="Names our session at the broker: one for each source and project, the same for ever."
    )
    format: Literal["json", "text"] = Field(
        "json", description="Objects become columns; a plain value, and all `text`, is the column `value`."
    )
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep nested objects become columns with dotted names; what is deeper stays JSON."
    )
    metadata: bool = Field(True, description="Columns `topic`, `received_at` and `retained` as well.")
    device_time: str | None = Field(
        None, description="The column with the device's own time (ISO 8601 or epoch); adds the column `late_seconds`."
    )
    retained: Literal["take", "skip"] = Field(
        "take", description="What to do with the last values that the broker keeps of topics we are new to."
    )
    quiet_seconds: Annotated[float, Field(gt=0)] = Field(
        1.0, description="A load ends when the broker was silent for so long."
    )
    max_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="A load of a broker that is never silent ends after so long."
    )
    max_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="The most messages that one load takes.")
    session_days: Annotated[float, Field(gt=0, le=49_000)] = Field(
        30.0, description="How long the broker keeps the session while nobody connects (MQTT 5)."
    )
    gaps: Literal["refuse", "accept"] = Field(
        "refuse", description="What to do when messages may be lost: the broker forgot the session, or we the spool."
    )
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="How long a broker that does not answer is tried."
    )
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.device_time is not None and self.format != "json":
            raise ValueError("`device_time` is a field of a JSON message; `format: text` has none")
        return self
