"""Flags that become alarms, as a project asks for them: how rare they must be."""

from __future__ import annotations

from pydantic import Field

from drivetrain.core.spec import Share, Spec


class FalseAlarmGate(Spec):
    """How many of the rows are flagged that nobody calls true. It needs no label."""

    max: Share
    worst_tenth: Share | None = Field(
        None, description="The same in the worst tenth of the test rows, in the order of entity and time."
    )
