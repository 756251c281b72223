"""What a dashboard is told of forecasts."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Series(msgspec.Struct, frozen=True):
    """A series of the newest forecast; ``forecast``, ``low`` and ``high`` are sums over its days."""

    level: str
    series: str
    forecast: float
    low: float
    high: float


class SeriesList(msgspec.Struct, frozen=True):
    """Some of the ``total`` series that were asked for."""

    total: int
    rows: list[Series]


class Seen(msgspec.Struct, frozen=True):
    """A day: what happened, or what comes and the ends of its interval."""

    day: date
    actual: float | None
    forecast: float | None
    low: float | None
    high: float | None


class Order(msgspec.Struct, frozen=True):
    """What to order: ``demand`` until the delivery after the next look, the stock that lasts until then, what is there.

    ``order`` is null where nobody says what is there.
    """

    demand: float
    safety_stock: float
    reorder_point: float
    on_hand: float | None
    order: float | None


class SeriesAnswer(msgspec.Struct, frozen=True):
    """A series: the newest forecast with who made it on which day, and what happened before."""

    series: str
    release: str
    origin: date
    order: Order | None
    rows: list[Seen]


class Earlier(msgspec.Struct, frozen=True):
    """A day of a forecast that was made at ``origin``, ``step`` steps before, and what happened if that is known."""

    origin: date
    made_at: datetime
    release: str
    day: date
    step: int
    forecast: float
    low: float
    high: float
    actual: float | None


class HistoryAnswer(msgspec.Struct, frozen=True):
    """The forecasts of a series, newest origin first."""

    series: str
    rows: list[Earlier]


class Accuracy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How good forecasts were: means over ``rows`` days whose truth has arrived.

    ``wape`` is the absolute error as a share of what happened, null where nothing did; ``coverage`` is the share that
    lay between low and high. It speaks of the ``origin``, ``level``, ``step`` or ``series`` that was asked for.
    """

    rows: int
    mean_actual: float
    mean_error: float
    mae: float
    wape: float | None
    rmse: float
    coverage: float
    origin: date | None = None
    level: str | None = None
    step: int | None = None
    series: str | None = None


class AccuracyAnswer(msgspec.Struct, frozen=True):
    """Accuracy, parted as it was asked for."""

    rows: list[Accuracy]
