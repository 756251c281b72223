"""A forecast of every node of the hierarchy that adds up, with the ends of its intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.forecast import ForecastSpec
from drivetrain.deliver.forecast.history import History
from drivetrain.deliver.forecast.rolled import Rolled
from drivetrain.ops.conformal import fit_rolling_interval
from drivetrain.ops.forecasting import seasonal_average
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.reconciliation import least_squares, minimum_trace, not_negative
from drivetrain.ops.saying import ends

Ended = tuple[date, Numbers, Numbers]
_WEEK = 7
_WEEKS = 4


@dataclass(frozen=True, eq=False)
class Ahead:
    """Forecast and the ends of its interval: of the series [s, h], or of all nodes [n, h]."""

    forecast: Numbers
    low: Numbers
    high: Numbers


def reconciled(history: History, own: Ahead, rolled: Rolled | None, spec: ForecastSpec, coverage: float) -> Ahead:
    """The forecast of every node, adding up; ``own`` is what the model says of the series.

    Parts of a series have the shares that they had of late. What stands above is forecast by itself as the mean of the
    same weekdays of four weeks, where the way to reconcile asks. Intervals of sums and parts are those that held the
    errors of earlier origins, and without such origins those of independent errors. Raises InvalidInput
    for least variance without a back-test.
    """
    earlier = None if rolled is None else _earlier(history, rolled)
    forecast = history.tree.add_up(history.parted(own.forecast))
    if spec.reconcile != "bottom_up":
        forecast = _agreed(history, own.forecast, rolled, earlier, spec)
    moved = forecast[history.series] - own.forecast
    ends_ = [np.maximum(end + moved, 0.0) for end in (own.low, own.high)]
    low, high = (
        _loose(history, forecast, Ahead(own.forecast + moved, *ends_))
        if earlier is None
        else _held(history, forecast, earlier, coverage)
    )
    low[history.series], high[history.series] = ends_
    return Ahead(forecast, np.maximum(low, 0.0), high)


def _earlier(history: History, rolled: Rolled) -> list[Ended]:
    """Truth and answer of the bottom of the tree at each earlier origin, [b, h] each, in units."""
    truth, answer = rolled.units()
    if history.parts == 1:
        return list(zip(rolled.origins, truth, answer, strict=True))
    known = np.repeat(np.isfinite(rolled.truth), history.parts, axis=1)
    found: list[Ended] = []
    for at, day in enumerate(rolled.origins):
        before = history.until(day)
        came = history.bottom[:, len(before.days) : len(before.days) + truth.shape[2]]
        found.append((day, np.where(known[at], came, 0.0), before.parted(answer[at])))
    return found


def _agreed(
    history: History, own: Numbers, rolled: Rolled | None, earlier: list[Ended] | None, spec: ForecastSpec
) -> Numbers:
    own_way = _unreconciled(history, own)
    if spec.reconcile == "least_squares":
        return not_negative(history.tree, least_squares(history.tree, own_way))
    if rolled is None or earlier is None:
        raise InvalidInput(
            "no_backtest",
            "least variance needs to know how far forecasts were off at earlier origins",
            where="forecast.reconcile",
            hint="set `model.origins` and train again, or reconcile by `least_squares`",
        )
    said = rolled.units()[1]
    off = [
        history.tree.add_up(truth) - _unreconciled(history.until(day), said[at])
        for at, (day, truth, _) in enumerate(earlier)
    ]
    return not_negative(history.tree, minimum_trace(history.tree, own_way, np.hstack(off)))


def _unreconciled(history: History, own: Numbers) -> Numbers:
    """What is said of every node by itself: of the series by the model, of what stands above by its own past."""
    above = seasonal_average(history.values[: history.series.start], own.shape[1], _WEEK, _WEEKS)
    return np.vstack([above, own] if history.parts == 1 else [above, own, history.parted(own)])


def _loose(history: History, forecast: Numbers, own: Ahead) -> tuple[Numbers, Numbers]:
    """Low and high of all nodes [n, h], were the errors of the bottom independent of each other."""
    bottom = forecast[-history.tree.bottom :]
    gaps = (np.repeat(end - own.forecast, history.parts, axis=0) for end in (own.low, own.high))
    share = np.divide(
        bottom, np.repeat(own.forecast, history.parts, axis=0), out=np.zeros_like(bottom), where=bottom > 0
    )
    low, high = (np.sqrt(history.tree.add_up(np.square(gap * share))) for gap in gaps)
    return forecast - low, forecast + high


def _held(history: History, forecast: Numbers, earlier: list[Ended], coverage: float) -> tuple[Numbers, Numbers]:
    """Low and high of all nodes [n, h] but the series, by earlier errors.

    A sum is held against itself, in units of its mean; parts, of which many are mostly 0, against each other in pieces.
    """
    low, high = np.zeros_like(forecast), np.zeros_like(forecast)
    for nodes in _but_the_series(history):
        truth = np.stack([_of(history, came, nodes) for _, came, _ in earlier])
        answer = np.stack([_of(history, said, nodes) for _, _, said in earlier])
        is_sum = nodes[0] < history.series.start
        size, now = (_mean(values, is_sum=is_sum) for values in (answer, forecast[nodes]))
        origin = np.broadcast_to(np.arange(len(truth))[:, None, None], truth.shape)
        interval = fit_rolling_interval((truth / size).ravel(), (answer / size).ravel(), origin.ravel(), coverage)
        below, above = ends(interval, (forecast[nodes] / now).ravel())
        low[nodes], high[nodes] = (end.reshape(len(nodes), -1) * now for end in (below, above))
    return low, high


def _but_the_series(history: History) -> Iterator[NDArray[np.intp]]:
    """The nodes whose intervals are found together: each sum alone, and all parts; those of series are the model's."""
    for node in range(history.series.start):
        yield np.array([node], dtype=np.intp)
    if history.parts > 1:
        yield np.arange(history.series.stop, len(history.levels), dtype=np.intp)


def _of(history: History, bottom: Numbers, nodes: NDArray[np.intp]) -> Numbers:
    """Values of such nodes, from those of the bottom."""
    above = len(history.tree.upper)
    return np.asarray(history.tree.upper[nodes] @ bottom if nodes[0] < above else bottom[nodes - above])


def _mean(values: Numbers, *, is_sum: bool) -> Numbers:
    """The unit in which a node is held against others: the mean of its steps [..., 1], where that is not 0."""
    mean = values.mean(axis=-1, keepdims=True)
    return np.where((mean > 0) & is_sum, mean, 1.0)
