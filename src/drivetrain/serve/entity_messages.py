"""What a page of entities is told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from drivetrain.serve.wording import Reason

Label = str | float | bool | None
Sensed = str | float | bool | None


class Told(msgspec.Struct, frozen=True, omit_defaults=True, rename={"klass": "class"}):
    """A prediction: of a number with the ends of its interval, of classes with the class, and the rule that decided."""

    at: datetime
    prediction_id: str
    release: str
    score: float | None
    decision: bool
    low: float | None = None
    high: float | None = None
    klass: str | None = None
    rule: str | None = None


class Entity(Told, frozen=True, kw_only=True, omit_defaults=True):
    """An entity: its newest prediction, how many there were of those looked at, the outlets whose alarm stands."""

    entity: str
    predictions: int
    alarms: list[str]


class EntityList(msgspec.Struct, frozen=True):
    """Some of the ``total`` entities that were asked for: alarms first, then the worst score."""

    total: int
    rows: list[Entity]


class Recorded(Told, frozen=True, kw_only=True, omit_defaults=True):
    """A prediction, and the label of it that was told last."""

    label: Label = None
    labelled_at: datetime | None = None


class AlarmChange(msgspec.Struct, frozen=True):
    """The prediction that raised or cleared an alarm."""

    at: datetime
    prediction_id: str
    alarm: Literal["raised", "cleared"]


class Alarm(msgspec.Struct, frozen=True):
    """An alarm of an outlet: whether it stands, and when that changed, the oldest first."""

    outlet: str
    raised: bool
    changes: list[AlarmChange]


class Line(msgspec.Struct, frozen=True):
    """The score at which it is decided true: at and above it, or at and ``below`` it."""

    threshold: float
    below: bool


class EntityAnswer(msgspec.Struct, frozen=True):
    """An entity: the newest of its ``total`` predictions, the oldest first, its alarms, its sensors.

    ``inputs`` are those of the newest one, with the reasons for it where the release that gave it still answers.
    ``sensors`` are numbers, one for each of ``rows``. ``decided`` is null where every score is decided true.
    """

    entity: str
    total: int
    release: str
    target: str
    decided: Line | None
    alarms: list[Alarm]
    inputs: dict[str, Sensed]
    reasons: list[Reason]
    rows: list[Recorded]
    sensors: dict[str, list[float | None]]
