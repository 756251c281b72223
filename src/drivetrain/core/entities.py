"""Pages of entities (a machine, a customer, a card): whose predictions belong together, and what is shown of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.entity_view import NEWEST
from drivetrain.core.spec import Spec


class EntityPages(Spec):
    """Each entity's own page: what was predicted of it, its sensors, its alarms."""

    by: str = Field(
        "",
        description="An input of the model, or a column of its events, that names the entity; by default it is what "
        "`features.entity` names.",
    )
    until: str = Field(
        "", description="Only what stands before this text names it: with `/` the case `pump/7` is one of `pump`."
    )
    hide: tuple[str, ...] = Field((), description="Inputs and columns of events that nobody sees there.")
    days: Annotated[int, Field(ge=1)] | None = Field(
        None, description="What was predicted longer ago is not shown; all that is in the lake when not given."
    )
    newest: Annotated[int, Field(ge=1)] = Field(
        NEWEST, description="How many of the newest predictions are looked at to list entities."
    )
