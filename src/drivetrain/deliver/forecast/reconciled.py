"""A forecast of every node of the hierarchy that adds up, with the ends of its intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.core.forecast import ForecastSpec
from drivetrain.deliver.forecast.history import History
from drivetrain.deliver.forecast.rolled import Rolled
from drivetrain.ops.conformal import fit_rolling_interval
from drivetrain.ops.forecasting import seasonal_average
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.reconciliation import bottom_up, least_squares, minimum_trace, not_negative
from drivetrain.ops.saying import ends

_WEEK = 7
_WEEKS = 4


@dataclass(frozen=True, eq=False)
class Ahead:
    """Forecast and the ends of its interval: of the series [b, h], or of all nodes [n, h]."""

    forecast: Numbers
    low: Numbers
    high: Numbers


def reconciled(history: History, bottom: Ahead, rolled: Rolled | None, spec: ForecastSpec, coverage: float) -> Ahead:
    """The forecast of every node, adding up; ``bottom`` is what the model says of the series.

    Upper nodes are forecast by themselves as the mean of the same weekdays of four weeks, where the way to reconcile
    asks. Their intervals are those that held the errors of earlier origins, apart by level, and without such origins
    those of independent errors. Raises InvalidInput for least variance without a back-test.
    """
    tree, upper = history.tree, len(history.tree.names) - history.tree.bottom
    forecast = bottom_up(tree, bottom.forecast)
    if spec.reconcile != "bottom_up":
        forecast = _agreed(history, bottom.forecast, rolled, spec)
    moved = forecast[upper:] - bottom.forecast
    low, high = np.maximum(bottom.low + moved, 0.0), np.maximum(bottom.high + moved, 0.0)
    low_above, high_above = _ends_above(history, forecast[:upper], Ahead(forecast[upper:], low, high), rolled, coverage)
    return Ahead(forecast, np.vstack([low_above, low]), np.vstack([high_above, high]))


def _agreed(history: History, bottom: Numbers, rolled: Rolled | None, spec: ForecastSpec) -> Numbers:
    tree, upper = history.tree, len(history.tree.names) - history.tree.bottom
    base = np.vstack([_by_itself(history.values[:upper], bottom.shape[1]), bottom])
    if spec.reconcile == "least_squares":
        return not_negative(tree, least_squares(tree, base))
    if rolled is None:
        raise InvalidInput(
            "no_backtest",
            "least variance needs to know how far forecasts were off at earlier origins",
            where="forecast.reconcile",
            hint="set `model.origins` and train again, or reconcile by `least_squares`",
        )
    truth, answer = rolled.units()
    places = {day: place + 1 for place, day in enumerate(history.days)}
    off = [
        tree.add_up(truth[at])
        - np.vstack([_by_itself(history.values[:upper, : places[day]], truth.shape[2]), answer[at]])
        for at, day in enumerate(rolled.origins)
    ]
    return not_negative(tree, minimum_trace(tree, base, np.hstack(off)))


def _by_itself(values: Numbers, horizon: int) -> Numbers:
    return seasonal_average(values, horizon, _WEEK, _WEEKS)


def _ends_above(
    history: History, forecast: Numbers, bottom: Ahead, rolled: Rolled | None, coverage: float
) -> tuple[Numbers, Numbers]:
    """Low and high of the upper nodes [u, h]."""
    upper = history.tree.upper
    if rolled is None:
        low, high = (np.sqrt(upper @ np.square(end - bottom.forecast)) for end in (bottom.low, bottom.high))
        return np.maximum(forecast - low, 0.0), forecast + high
    truth, answer = (np.einsum("ub,kbh->kuh", upper, values) for values in rolled.units())
    size, now = answer.mean(axis=2, keepdims=True), forecast.mean(axis=1, keepdims=True)
    low, high = np.empty_like(forecast), np.empty_like(forecast)
    levels = np.array(history.levels[: len(upper)])
    for level in dict.fromkeys(levels.tolist()):
        nodes = np.flatnonzero(levels == level)
        share = truth[:, nodes] / size[:, nodes], answer[:, nodes] / size[:, nodes]
        origin = np.broadcast_to(np.arange(len(truth))[:, None, None], share[0].shape)
        interval = fit_rolling_interval(share[0].ravel(), share[1].ravel(), origin.ravel(), coverage)
        below, above = ends(interval, (forecast[nodes] / now[nodes]).ravel())
        low[nodes], high[nodes] = (end.reshape(len(nodes), -1) * now[nodes] for end in (below, above))
    return np.maximum(low, 0.0), high
