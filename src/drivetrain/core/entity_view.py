"""What a server knows of its pages of entities: whose predictions belong together, what is hidden, when it alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NEWEST = 200_000
"""Of so many predictions the entities are listed."""


@dataclass(frozen=True)
class FlagRule:
    """An alarm is raised when ``flags`` of the last ``of`` predictions are decided true, cleared when none is."""

    flags: int
    of: int


@dataclass(frozen=True)
class EntityView:
    """How predictions are seen by entity: the section `service.entities`, and what else the project file says.

    ``worst_low``: the lowest score is the worst one, as of a remaining life. ``alarms`` are those of the outlets.
    """

    by: str = ""
    until: str = ""
    hide: tuple[str, ...] = ()
    days: int | None = None
    newest: int = NEWEST
    worst_low: bool = False
    alarms: Mapping[str, FlagRule] = field(default_factory=dict)
