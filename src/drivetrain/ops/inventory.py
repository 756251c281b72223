"""From a forecast to what to order and when: safety stock, reorder point, and what a wrong stock costs.

Amounts are in units of the item, times in the steps of the forecast (days, weeks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers


@dataclass(frozen=True)
class Supply:
    """How an item comes in: mean and standard deviation of the lead time, and the time between two looks at it."""

    lead: float
    lead_sd: float = 0.0
    review: float = 0.0

    @property
    def exposed(self) -> float:
        """How long a stock must last: until what is ordered at the next look has come."""
        return self.lead + self.review


@dataclass(frozen=True)
class StockLevel:
    """Order when stock and what is on its way is down to ``reorder_point``; ``safety`` is the part for surprise."""

    reorder_point: float
    safety: float


def service_level(shortage: float, holding: float) -> float:
    """The share of periods in which the stock of least expected cost suffices: newsvendor (Arrow et al. 1951).

    ``shortage`` is the price of a unit that is missing, ``holding`` that of one too many; both above 0.
    """
    if not (shortage > 0 and holding > 0):
        raise InvalidInput("price_invalid", "a unit that is missing and one too many both cost more than nothing")
    return shortage / (shortage + holding)


def quantile_of(levels: Numbers, values: Numbers, level: float) -> float:
    """A quantile between forecast quantiles (``values`` [k] at rising ``levels`` [k]), by a line between neighbours.

    Beyond the outermost level it is the outermost value: what was not forecast is not made up.
    """
    return float(np.interp(level, levels, np.maximum.accumulate(values)))


def spread_of(low: Numbers, high: Numbers, level: float) -> Numbers:
    """The standard deviation [n] of normal demand whose central interval of ``level`` is ``low`` to ``high`` [n]."""
    return np.asarray((high - low) / (2.0 * NormalDist().inv_cdf((1.0 + level) / 2.0)))


def stock_level(mean: float, deviation: float, supply: Supply, level: float) -> StockLevel:
    """Reorder point and safety stock for demand of ``mean`` and ``deviation`` a step, independent between steps.

    ``level`` is the chance that nothing runs out before the next delivery. Safety stock is
    ``z * sqrt(exposed * deviation^2 + mean^2 * lead_sd^2)`` (Silver, Pyke & Thomas 2017, chapter 6).
    """
    z = NormalDist().inv_cdf(level)
    safety = z * math.sqrt(supply.exposed * deviation**2 + mean**2 * supply.lead_sd**2)
    return StockLevel(mean * supply.exposed + safety, safety)


def order_size(position: float, point: float, up_to: float, pack: float = 1.0) -> float:
    """What to order: nothing above the reorder point, else up to ``up_to``, in whole packs and never less than that.

    ``position`` is stock on hand and on its way, less what is promised. Raises InvalidInput for a pack of nothing.
    """
    if not pack > 0:
        raise InvalidInput("pack_size_invalid", "a pack holds more than nothing")
    if position > point:
        return 0.0
    return max(0.0, math.ceil((up_to - position) / pack) * pack)


def mismatch_cost(demand: Numbers, stock: Numbers, shortage: float, holding: float) -> Numbers:
    """What a stock cost once demand was known, [n]: the price of what was missing, or of what was left over."""
    return np.where(demand > stock, (demand - stock) * shortage, (stock - demand) * holding)
