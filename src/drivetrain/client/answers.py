"""What a service says, and what it is told."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """An input that moved the score: its value, the typical one, and what it adds to the log-odds of the score."""

    field: str
    value: str | float | bool | None
    typical: str | float | bool | None
    effect: float


class Prediction(msgspec.Struct, frozen=True):
    """What the model says of one row.

    ``id`` names the prediction in labels, in the lake and in ``drivetrain trace``. ``class_`` is said by a model of
    classes, ``low`` and ``high`` (the interval around the estimate, which is ``score``) by one of numbers. ``reasons``
    stand strongest first; there are none unless they were asked for.
    """

    id: str
    score: float
    decision: bool
    class_: str | None = msgspec.field(default=None, name="class")
    low: float | None = None
    high: float | None = None
    reasons: tuple[Reason, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """The predictions, in the order of the rows, and the release that made them.

    Where a list went in several requests and the release changed between two of them, it is the release of the last.
    """

    release: str
    predictions: tuple[Prediction, ...]


class Label(msgspec.Struct, frozen=True):
    """How the case behind a prediction came out, and when that was known (None: now; without a zone: UTC).

    The label is true or false, the text of a class or a number, as the service answers.
    """

    prediction_id: str
    label: bool | str | float
    at: datetime | None = None


class Recorded(msgspec.Struct, frozen=True):
    """How many labels a service recorded."""

    recorded: int


class ServiceHealth(msgspec.Struct, frozen=True):
    """Whether one service of a server answers."""

    service: str
    state: str


class Health(msgspec.Struct, frozen=True):
    """The services of a server, its first one first."""

    services: tuple[ServiceHealth, ...]


class Deployed(msgspec.Struct, frozen=True):
    """What answers for a service."""

    champion: str


class ErrorBody(msgspec.Struct, frozen=True):
    """What a service says went wrong. ``status`` stands only where HTTP has no place for it: at the end of a stream."""

    code: str
    message: str
    where: str = ""
    hint: str = ""
    status: int | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of an answer that is not a success, and the last line of a stream that broke."""

    error: ErrorBody
