"""From the forecast of a series to its safety stock, its reorder point, and what to order today."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import StockSpec
from drivetrain.deliver.forecast.panel import Panel, numbers_of
from drivetrain.deliver.forecast.rolled import Rolled
from drivetrain.ops.conformal import fit_rolling_interval
from drivetrain.ops.inventory import order_size
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.saying import ends


def orders_of(
    panel: Panel, answer: Numbers, rolled: Rolled | None, stock: StockSpec, on_hand: pa.Table | None, entity: str
) -> pa.Table:
    """For each series what is expected until the delivery after the next look, the stock that lasts until then with
    the chance that is asked for, and what to order; see ``store.forecasts.ORDERS``. ``answer`` is [b, h] in scores.

    The stock is the end of an interval around that sum, found on the sums of earlier origins: demand of neighbouring
    days moves together, and is not normal. Raises InvalidInput without earlier origins, and for times that are longer
    than the forecast.
    """
    steps = stock.exposed
    if rolled is None or steps > answer.shape[1]:
        why = "the model has no back-test" if rolled is None else f"the forecast ends after {answer.shape[1]} steps"
        raise InvalidInput(
            "stock_unfounded",
            f"a stock that lasts {steps} steps cannot be known: {why}",
            where="forecast.stock",
            hint="set `model.origins` and train again, or make `lead` and `review` shorter",
        )
    past = [values[:, :, :steps].sum(axis=2) for values in (rolled.truth, rolled.answer)]
    known = np.isfinite(past[0])
    origin = np.broadcast_to(np.arange(len(known))[:, None], known.shape)[known]
    central = 2 * stock.level - 1
    interval = fit_rolling_interval(past[0][known], past[1][known], origin, central, least=central)
    expected = answer[:, :steps].sum(axis=1)
    point = np.maximum(ends(interval, expected)[1], expected) * panel.scale
    demand = expected * panel.scale
    held, pack = _held(panel.series, on_hand, entity, stock)
    sizes = [order_size(*one) if np.isfinite(one[0]) else None for one in zip(held, point, point, pack, strict=True)]
    return pa.table(
        {
            "series": [f"{entity}/{name}" for name in panel.series],
            "demand": demand,
            "safety_stock": point - demand,
            "reorder_point": point,
            "on_hand": pa.array(held, from_pandas=True),
            "order": pa.array(sizes, pa.float64()),
        }
    )


def _held(series: tuple[str, ...], on_hand: pa.Table | None, entity: str, stock: StockSpec) -> tuple[Numbers, Numbers]:
    """Of each series what is there, NaN where nobody knows, and how many are ordered together."""
    if on_hand is None:
        return np.full(len(series), np.nan), np.ones(len(series))
    missing = [name for name in (entity, "on_hand") if name not in on_hand.column_names]
    if missing:
        raise InvalidInput(
            "column_missing",
            f"the file gives no column {examples(missing)}",
            where=stock.on_hand or "",
            hint=f"it gives {examples(on_hand.column_names, 20)}",
        )
    place = pc.index_in(pa.array(series, pa.string()), on_hand.column(entity).cast(pa.string()).combine_chunks())
    packs = on_hand.column("pack") if "pack" in on_hand.column_names else pa.chunked_array([np.ones(on_hand.num_rows)])
    held, pack = (numbers_of(column.take(place)) for column in (on_hand.column("on_hand"), packs))
    return held, np.where(np.isfinite(pack), pack, 1.0)
