"""Forecasts in the project file: the section ``forecast``, and the gates of series and of earlier origins."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.spec import Name, Share, Spec

Reconciliation = Literal["bottom_up", "least_squares", "minimum_trace"]


class StockSpec(Spec):
    """From a forecast to what to order: a stock that lasts until the delivery after the next look at it."""

    lead: Annotated[int, Field(ge=1)] = Field(
        description="Steps of the forecast (days, weeks) until an order has come."
    )
    review: Annotated[int, Field(ge=0)] = Field(0, description="Steps between two looks at the stock.")
    service_level: Annotated[float, Field(gt=0.5, lt=1)] | None = Field(
        None, description="The chance that nothing runs out before the delivery after the next look."
    )
    shortage: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Price of a unit that is missing; with `holding` in place of `service_level`."
    )
    holding: Annotated[float, Field(gt=0)] | None = Field(None, description="Price of a unit too many.")
    on_hand: str | None = Field(
        None,
        description="SQL file: the entity, `on_hand` (and on its way, less what is promised) and, if you like, `pack`: "
        "how many are ordered together.",
    )

    @model_validator(mode="after")
    def _one_way_to_the_level(self) -> Self:
        given = self.service_level is not None, self.shortage is not None, self.holding is not None
        if given not in ((True, False, False), (False, True, True)):
            raise ValueError("give `service_level`, or both `shortage` and `holding`")
        return self

    @property
    def exposed(self) -> int:
        """How many steps a stock must last: until what is ordered at the next look has come."""
        return self.lead + self.review

    @property
    def level(self) -> float:
        """The chance that it lasts: as asked, or as the prices make it cheapest (newsvendor; Arrow et al. 1951)."""
        if self.shortage is not None and self.holding is not None:
            return self.shortage / (self.shortage + self.holding)
        return self.service_level or 0.0


class ForecastSpec(Spec):
    """What is forecast: the label of the open rows, for each entity and moment (``features.entity``, ``.time``)."""

    origin: str = Field(description="The column under `features.keep` with the day on which a forecast is made.")
    scale: str | None = Field(
        None, description="The column under `features.keep` that a score is multiplied by to be in units; 1 without it."
    )
    actuals: str = Field(
        description="SQL file: what happened. The entity, `day`, `value`, and a column for each of `levels` and for "
        "`across`."
    )
    levels: tuple[Name, ...] = Field((), description="Columns of `actuals` that put entities together; `total` is all.")
    across: Name | None = Field(
        None,
        description="A column of `actuals` that parts every entity, such as `country`: each part has a forecast, and "
        "they add up to their entity, and over all entities.",
    )
    reconcile: Reconciliation = Field(
        "bottom_up",
        description="How items and what they add up to are made to agree: by the items alone, by the nearest forecasts "
        "that add up, or by those of least variance (MinT).",
    )
    stock: StockSpec | None = None


class SeriesGate(Spec):
    """Of numbers in many series, such as the demand of items: the mean over series of the RMSE of each.

    Where the label is in the usual change from one step to the next, that is RMSSE.
    """

    by: str = Field(description="The column that names a series: the entity, or one of `features.keep`.")
    weight: str | None = Field(None, description="The column that says what a series is worth; all alike without it.")
    max: Annotated[float, Field(gt=0)]
    beats: str | None = Field(
        None, description="The column that holds a naive answer; the interval of the gain over it must lie above 0."
    )
    only: dict[str, str] = Field(
        default_factory=dict, description="Column: value. Only such rows are judged: `{life: established}`."
    )
    slices: tuple[str, ...] = Field(
        (),
        description="Columns whose values part the series: the report shows error and coverage of each, of all rows.",
    )


class BacktestGate(Spec):
    """Of numbers estimated at earlier origins (`model.origins`) and at that of the test part: means over origins."""

    by: str | None = Field(None, description="The column that names a series, as in `series`: each counts by itself.")
    min_coverage: Share = Field(0.0, description="The share of truths in their interval is at least this.")
    max_coverage: Share = Field(1.0, description="More than this means that the intervals are too wide.")
    max_rmse: Annotated[float, Field(gt=0)] | None = Field(
        None, description="The most that the error of an origin may be, or the mean over its series."
    )
