"""How good forecasts of many series are, and the forecasts that anybody can make without a model.

Series are rows: ``history`` float64 [s, t], oldest first; ``actual`` and ``forecast`` float64 [s, h].
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import InvalidInput
from drivetrain.ops.intervals import wilson
from drivetrain.ops.metrics import Numbers

Pattern = Literal["smooth", "erratic", "intermittent", "lumpy", "none"]
_SPARSE = 1.32
_ERRATIC = 0.49


def seasonal_naive(history: Numbers, horizon: int, season: int) -> Numbers:
    """The last season again and again: [s, t] -> [s, horizon]. Raises InvalidInput for less than one season."""
    if history.shape[1] < season:
        raise InvalidInput(
            "history_short",
            f"a history of {history.shape[1]} steps has no season of {season}",
            hint="take a shorter season, or bring a longer history",
        )
    last = history[:, -season:]
    return np.asarray(last[:, np.arange(horizon) % season])


def moving_average(history: Numbers, horizon: int, window: int) -> Numbers:
    """The mean of the last ``window`` steps, for every step ahead: [s, t] -> [s, horizon]."""
    return np.asarray(np.repeat(history[:, -window:].mean(axis=1, keepdims=True), horizon, axis=1))


def seasonal_average(history: Numbers, horizon: int, season: int, seasons: int) -> Numbers:
    """The mean of the last ``seasons`` at each place of a season: [s, t] -> [s, horizon]; of fewer where there are no
    more. Raises InvalidInput for less than one season.
    """
    whole = min(seasons, history.shape[1] // season)
    if not whole:
        return seasonal_naive(history, horizon, season)
    means = history[:, -whole * season :].reshape(len(history), whole, season).mean(axis=1)
    return seasonal_naive(means, horizon, season)


def naive_scale(history: Numbers) -> Numbers:
    """The mean squared error of forecasting each step by the one before, [s], from the first sale on.

    What an error is measured in (Hyndman & Koehler 2006; from the first sale on as the M5 competition counted,
    Makridakis, Spiliotis & Assimakopoulos 2022). Zero for a series that never changes after its first sale.
    """
    started = np.cumsum(history != 0, axis=1) > 0
    squares = np.square(np.diff(history, axis=1)) * started[:, :-1]
    counts = started[:, :-1].sum(axis=1)
    return np.asarray(np.divide(squares.sum(axis=1), counts, out=np.zeros(len(history)), where=counts > 0))


def rmsse(actual: Numbers, forecast: Numbers, scale: Numbers) -> Numbers:
    """Root mean squared scaled error of each series, [s]: below 1 is better than the step before (M5, 2022).

    Raises InvalidInput when a scale [s] is not positive: such a series says nothing, so leave it out.
    """
    if not (scale > 0).all():
        raise InvalidInput(
            "metric_undefined", f"{int((~(scale > 0)).sum())} series never change, so no error can be scaled by them"
        )
    return np.asarray(np.sqrt(np.square(actual - forecast).mean(axis=1) / scale))


def series_rmse(truth: Numbers, answer: Numbers, series: NDArray[np.int64]) -> Numbers:
    """The RMSE of each series, [s], of truths and answers [n]; ``series`` [n] is 0 to s - 1 and says whose a row is.

    Of values in units of the root of ``naive_scale`` that is ``rmsse``.
    """
    squares = np.bincount(series, np.square(truth - answer))
    return np.asarray(np.sqrt(squares / np.bincount(series)))


def wrmsse(errors: Numbers, weights: Numbers) -> float:
    """RMSSE of series [s], each weighted by what it is worth [s], such as its revenue of late (M5, 2022).

    Raises InvalidInput when the weights are negative or add up to nothing.
    """
    if not (weights >= 0).all() or not weights.sum() > 0:
        raise InvalidInput("metric_undefined", "weights must not be negative, and one must be more than nothing")
    return float((errors * weights).sum() / weights.sum())


def pinball(actual: Numbers, forecast: Numbers, quantile: float) -> Numbers:
    """The loss that a true quantile makes least, a value for each entry (Koenker & Bassett 1978)."""
    gap = actual - forecast
    return np.asarray(np.maximum(quantile * gap, (quantile - 1.0) * gap))


def coverage(actual: Numbers, low: Numbers, high: Numbers) -> Estimate:
    """The share of entries that lie in their interval, both ends included, with its own 95 % interval."""
    inside = (actual >= low) & (actual <= high)
    return wilson("coverage", int(inside.sum()), inside.size)


def interval_score(actual: Numbers, low: Numbers, high: Numbers, level: float) -> Numbers:
    """Width of an interval of ``level`` plus the price of missing it, for each entry (Gneiting & Raftery 2007)."""
    price = 2.0 / (1.0 - level)
    missed = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    return np.asarray(high - low + price * missed)


def rolling_origins(length: int, horizon: int, count: int, least: int = 1) -> tuple[int, ...]:
    """Where to cut ``length`` steps for ``count`` back-tests, oldest first; from a cut on ``horizon`` steps are held.

    Held parts lie end to end and never overlap, the last ends with the series (Tashman 2000). Raises InvalidInput when
    fewer than ``least`` steps are left to learn from.
    """
    cuts = tuple(length - horizon * left for left in range(count, 0, -1))
    if not cuts or cuts[0] < least:
        raise InvalidInput(
            "history_short",
            f"{count} origins of {horizon} steps leave less than {least} of {length} steps to learn from",
            hint="take fewer origins or a shorter horizon",
        )
    return cuts


def demand_pattern(history: NDArray[np.float64]) -> Pattern:
    """What kind of demand one series [t] is, by how often and how evenly it sells (Syntetos, Boylan & Croston 2005)."""
    sold = history[np.cumsum(history != 0) > 0]
    sizes = sold[sold != 0]
    if sizes.size == 0:
        return "none"
    sparse = sold.size / sizes.size > _SPARSE
    erratic = bool(np.square(sizes.std() / sizes.mean()) > _ERRATIC)
    if sparse:
        return "lumpy" if erratic else "intermittent"
    return "erratic" if erratic else "smooth"
