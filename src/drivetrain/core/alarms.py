"""Flags that become alarms, as a project asks for them: how rare, how early, and what they may cost."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from drivetrain.core.spec import Share, Spec

Price = Annotated[float, Field(ge=0)]


class FalseAlarmGate(Spec):
    """How many of the rows are flagged that nobody calls true. It needs no label."""

    max: Share
    worst_tenth: Share | None = Field(
        None, description="The same in the worst tenth of the test rows, in the order of entity and time."
    )


class Persistence(Spec):
    """When flags are an alarm: when ``flags`` of the last ``of`` rows of a machine are flagged; one alone is noise."""

    flags: Annotated[int, Field(ge=1)] = 1
    of: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.flags > self.of:
            raise ValueError(f"{self.flags} of the last {self.of} rows can never be flagged")
        return self


class AlarmWatch(Persistence):
    """Of an outlet: only the predictions that raise or clear an alarm leave.

    It is raised when ``flags`` of the last ``of`` predictions of a machine are decided true, cleared when none is.
    """

    by: str = Field(
        "",
        description="Whose predictions follow each other: a SQL expression over a prediction; by default the entity, "
        "as `service.entities` names it, whose page then shows the alarm.",
    )


class AlarmPrices(Spec):
    """What an inspection, a repair that was planned, and a failure that nobody saw coming cost."""

    inspection: Price
    repair: Price
    failure: Price


class AlarmGate(Persistence):
    """Flags of machines that were run until they failed, as alarms; who is told of one inspects the machine.

    ``by``, ``order`` and ``left`` are columns of the spine under ``features.keep``.
    """

    by: str = Field(description="Whose rows follow each other: the machine.")
    order: str = Field(description="In which order they do: a number or a moment.")
    left: str = Field(description="How long the machine ran from there until it failed; null where it did not.")
    notice: Annotated[float, Field(ge=0)] = Field(0.0, description="An inspection that late finds nothing to save.")
    horizon: Annotated[float, Field(gt=0)] = Field(description="One that early finds no fault yet.")
    prices: AlarmPrices
    min_caught: Share = Field(0.0, description="The share of the failures that alarms must spare.")
    max_false: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Inspections for nothing that a machine may bring, on average, until it fails."
    )

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.notice > self.horizon:
            raise ValueError("`notice` is longer than `horizon`: no inspection would ever be in time")
        return self
