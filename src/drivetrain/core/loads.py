"""What is said of a load beside its rows: how large it was, and what about it was unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AlarmKind = Literal["volume", "pace", "stale", "schema", "category", "unit", "review"]
"""``volume``: more or fewer rows than the loads before let expect; ``pace``: new rows are overdue; ``stale``: the
newest value is older than the contract allows; ``schema``: columns changed, and the contract lets that
in; ``category``: texts that were not there; ``unit``: numbers that moved as if in another unit;
``review``: a change was refused and waits for a second person."""


@dataclass(frozen=True)
class SourceAlarm:
    """Something about a source that is not what it was expected to be. Nothing was refused for it."""

    kind: AlarmKind
    text: str


@dataclass(frozen=True)
class Loaded:
    """The newest load of a dataset version: when it came (ISO 8601, UTC), and its rows, bad ones and changes included.

    ``reviews`` are those by which changes came in, as ``review/source@digest``.
    Empty for a version that is older than this record. A version that a replay made keeps the load before it.
    """

    at: str = ""
    rows: int = 0
    alarms: tuple[SourceAlarm, ...] = ()
    reviews: tuple[str, ...] = ()
