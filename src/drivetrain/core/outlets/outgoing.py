"""What all outlets have in common: which predictions leave, and as what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.alarms import AlarmWatch
from drivetrain.core.spec import Spec

What = Literal["predictions", "hand_overs", "forecasts", "orders"]


class Outgoing(Spec):
    """Predictions of the project's service that leave for another system."""

    kind: str
    of: What = Field(
        "predictions",
        description="What leaves: predictions, the conversations that people take over, or what `drivetrain forecast` "
        "kept: its rows, or what to order.",
    )
    where: str | None = Field(
        None, description="A SQL condition over a prediction: only those leave, such as `decision AND score > 0.9`."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Name over there: SQL expression over a prediction. By default `prediction_id`, the entity, "
        "`score`, `decision`, the outputs (`class`; `low`, `high`), `release` and `predicted_at`; of hand-overs all of "
        "`queue`, `priority`, `intent`, `message`, `transcript`, `slots` (JSON), `session` and the like; of "
        "forecasts and orders all of their columns.",
    )
    alarm: AlarmWatch | None = Field(
        None, description="Only what raises or clears an alarm leaves; `alarm` says which (`raised`, `cleared`)."
    )
    history: bool = Field(
        False,
        description="Whether the first delivery sends what was predicted before it, too; else the outlet starts there.",
    )
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="How long a system that is down is tried before the command ends; it goes on from there."
    )

    @property
    def parcel_rows(self) -> int:
        """How many rows leave together at most."""
        return 1000
