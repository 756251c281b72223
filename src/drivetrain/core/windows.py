"""Windows over events that are kept online: what of a feature table's SQL travels inside the Model, as data.

An event is one row of a source: it has a name (the entity of the case), a moment, and columns. A window looks at the
events with the same key that lie before the moment of an event, and not further back than its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from drivetrain.core.schema import Column

Aggregate = Literal["count", "distinct", "sum", "avg", "min", "max", "stddev"]
Operation = Literal[
    "column", "number", "text", "window", "epoch", "hour", "isodow", "abs", "not", "is_null", "coalesce",
    "+", "-", "*", "/", "=", "<>", "<", "<=", ">", ">=", "and", "or",
]  # fmt: skip

Value = str | float | None
"""Of an event: text, or a number; booleans are 0 and 1, moments seconds since 1970."""


class Event(NamedTuple):
    """A named event at a moment (microseconds since 1970, UTC); ``values`` in the order of the plan's columns."""

    name: str
    at: int
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Window:
    """One aggregate over the events with the same ``key`` in the ``micros`` microseconds before an event.

    ``value`` is the column that is aggregated (empty: the events themselves), ``where`` a column that must be true.
    ``itself`` says whether the event itself belongs to its window; others of the same moment never do.
    """

    aggregate: Aggregate
    key: tuple[str, ...]
    value: str
    where: str
    micros: int
    itself: bool


@dataclass(frozen=True)
class Step:
    """One step of an expression on a stack: ``name`` is a column or a text, ``number`` a constant or a window."""

    do: Operation
    name: str = ""
    number: float = 0.0


@dataclass(frozen=True)
class OnlineFeature:
    """A column of the feature table: its steps leave one value. ``rounded``: see ``ops.expressions.rounded``."""

    name: str
    steps: tuple[Step, ...]
    rounded: bool


@dataclass(frozen=True)
class WindowPlan:
    """What a server keeps of events, and what it makes of them.

    ``source`` is where the events lie in the lake; ``entity`` and ``time`` are its columns that name and date an event,
    ``columns`` the others that the plan reads. An event may come ``late_micros`` after the newest one.
    """

    source: str
    entity: str
    time: str
    columns: tuple[Column, ...]
    windows: tuple[Window, ...]
    features: tuple[OnlineFeature, ...]
    late_micros: int

    @property
    def kept_micros(self) -> int:
        """How far behind the newest event anything is still needed."""
        return max((window.micros for window in self.windows), default=0) + self.late_micros

    @property
    def names(self) -> tuple[str, ...]:
        """The features that nobody sends, because they are computed."""
        return tuple(feature.name for feature in self.features)
