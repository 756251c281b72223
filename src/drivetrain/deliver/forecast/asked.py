"""What a forecast is made from, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from drivetrain.core.artifacts import Features
from drivetrain.core.forecast import ForecastSpec
from drivetrain.core.refs import Ref
from drivetrain.deliver.forecast.what_if import Change


@dataclass(frozen=True, eq=False)
class Asked:
    """The open rows of ``features``, what happened, and what is in stock, for one service.

    ``trained`` is the feature table that the release learned from. With ``changes`` the same is asked of changed rows.
    """

    spec: ForecastSpec
    service: str
    features: Features
    trained: Features
    actuals: pa.Table
    on_hand: pa.Table | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Forecasted:
    """What a forecast came to: ``rows`` of so many ``series``, from ``origin`` on, kept as the run of that name.

    ``is_new`` is false where the same release had forecast the same rows before. ``total`` is the sum over all days of
    all series, ``what_if`` that after the changes that were asked, if any.
    """

    run: str
    release: Ref
    features: Ref
    origin: date
    series: int
    rows: int
    orders: int
    is_new: bool
    total: float
    what_if: float | None
