"""What every system for customers and tickets is to the outlet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivetrain.deliver.outlet import Receipt

Fields = Mapping[str, object]


@dataclass(frozen=True)
class Item:
    """A row on its way: ``key`` finds its object over there, ``id`` is the row's own key, for ever.

    ``updates``: an object that is there is brought up to date; else it is this very row's, which was sent before.
    """

    key: str | int
    id: str
    fields: Fields
    updates: bool


class System(Protocol):
    """A system. Its methods raise Transient, Forbidden, InvalidInput."""

    @property
    def most(self) -> int:
        """How many rows one call takes."""
        ...

    @property
    def written_time(self) -> str | None:
        """How a time is written there, as strftime says; ISO 8601 if nothing is said."""
        ...

    def check(self) -> str:
        """Ask for something that changes nothing, and say what is there."""
        ...

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """A receipt for each, which holds the number of its object; None for one to be tried again."""
        ...
