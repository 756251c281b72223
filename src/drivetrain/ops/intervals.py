"""How sure a measured number is: 95 % percentile intervals of the bootstrap (Efron & Tibshirani 1993, chapter 13).

A round draws as many cases as there are, with replacement; that is the same as drawing how often each case counts, so
cases are sorted once and only their weights change. The same seed gives the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Metric
from drivetrain.ops.metrics import Numbers, Truth, Weighed, higher_is_better, weigh


def bootstrap(metric: Metric, truth: Truth, answer: Numbers, *, seed: int = 0, rounds: int = 300) -> Estimate:
    """The metric of answers ([n], or [n, K] of classes) and its interval. Raises InvalidInput as the metric does."""
    return bootstrap_weighed(metric, weigh(metric, truth, answer), len(truth), seed=seed, rounds=rounds)


def bootstrap_difference(
    metric: Metric, truth: Truth, answer: Numbers, other: Numbers, *, seed: int = 0, rounds: int = 300
) -> Estimate:
    """How much better ``answer`` is than ``other`` on the same cases: positive is better, whatever the metric.

    Paired: each round draws one set of cases for both. Raises InvalidInput as the metric does.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    ours, theirs = weigh(metric, truth, answer), weigh(metric, truth, other)

    def gain(weights: Numbers) -> float:
        return sign * (ours(weights) - theirs(weights))

    return bootstrap_weighed(f"{metric} gain", gain, len(truth), seed=seed, rounds=rounds)


def bootstrap_mean(name: str, values: Numbers, *, seed: int = 0, rounds: int = 300) -> Estimate:
    """The mean of values [n] and its interval. Raises InvalidInput when there are none or some are not finite."""
    if len(values) == 0 or not np.isfinite(values).all():
        raise InvalidInput("metric_undefined", f"the mean of {name} needs rows, all of them finite numbers")
    return bootstrap_weighed(
        name, lambda weights: float((weights * values).mean()), len(values), seed=seed, rounds=rounds
    )


def bootstrap_weighed(name: str, weighed: Weighed, rows: int, *, seed: int = 0, rounds: int = 300) -> Estimate:
    """Any number that is a function of how often each of ``rows`` cases counts, and its interval."""
    drawn = [weighed(weights) for weights in _resamples(rows, seed, rounds)]
    return _estimate(name, weighed(np.ones(rows)), drawn, rows)


def wilson(name: str, hits: int, rows: int) -> Estimate:
    """The share of ``hits`` among independent rows and its 95 % interval (Wilson 1927); [0, 1] when there are none."""
    if rows == 0:
        return Estimate(name, 0.0, 0.0, 1.0, 0)
    rate, square = hits / rows, 1.96**2
    middle = (rate + square / (2 * rows)) / (1 + square / rows)
    reach = 1.96 / (1 + square / rows) * math.sqrt(rate * (1 - rate) / rows + square / (4 * rows**2))
    return Estimate(name, rate, max(0.0, middle - reach), min(1.0, middle + reach), rows)


def _resamples(rows: int, seed: int, rounds: int) -> Iterator[Numbers]:
    """How often each of ``rows`` cases counts in each round: multinomial weights [rows]."""
    generator = np.random.default_rng(seed)
    for _ in range(rounds):
        chosen: NDArray[np.int64] = generator.integers(0, rows, size=rows)
        yield np.bincount(chosen, minlength=rows).astype(np.float64)


def _estimate(name: str, value: float, drawn: Sequence[float], rows: int) -> Estimate:
    # A round that drew only one class has no value; with so few cases the interval of the other rounds is wide anyway.
    defined = np.asarray(drawn)[~np.isnan(drawn)]
    low, high = np.percentile(defined, [2.5, 97.5]) if defined.size else (value, value)
    return Estimate(name, value, float(low), float(high), rows)
