"""The newest open rows, scored by a release, as a forecast that adds up; kept in the lake with its orders."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.digest import SHORT, digest_of
from drivetrain.core.errors import Refused
from drivetrain.deliver.forecast.asked import Asked, Forecasted
from drivetrain.deliver.forecast.history import History, history_of
from drivetrain.deliver.forecast.orders import orders_of
from drivetrain.deliver.forecast.panel import Panel, open_rows, panel_of
from drivetrain.deliver.forecast.reconciled import Ahead, reconciled
from drivetrain.deliver.forecast.rolled import Rolled, rolled_of
from drivetrain.deliver.forecast.what_if import changed
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import Said, Saying
from drivetrain.ops.text import encoders_from
from drivetrain.store.cases import SPLIT
from drivetrain.store.catalog import Catalog
from drivetrain.store.forecasts import ORDERS, Forecasts, Run
from drivetrain.store.golden import golden_from
from drivetrain.store.locks import held
from drivetrain.store.models import ModelContent, model_from, open_scorer
from drivetrain.store.tables import Table

_ENDS = ("forecast", "low", "high")


def forecast(asked: Asked, release: VerifiedRelease, catalog: Catalog) -> tuple[Forecasted, dict[str, pa.Table]]:
    """Forecast the open rows, and keep that if it is new. Gives what it came to, and two tables: ``forecast``, a row
    for each series and day, and ``orders``, which is empty where no stock is declared.

    With changes the first has a column ``what_if`` beside ``forecast``; it is not kept. Raises InvalidInput for rows
    that make no forecast, Refused when the model does not answer as it was validated, Transient when another process
    forecasts for this service.
    """
    content = model_from(release.part("model"), str(release.ref))
    panel = panel_of(
        open_rows(asked.features, asked.spec, _table(asked.features.name, catalog)), asked.features, asked.spec
    )
    history = history_of(asked.actuals, asked.features.entity, panel.series, asked.spec)
    rolled = _rolled(asked, content, panel, catalog)
    said = _say(release, content, panel.rows)
    ahead = _ahead(asked, content, panel, history, rolled, said)
    orders = _orders(asked, panel, rolled, said)
    name = digest_of(str(release.ref), asked.features.digest, asked.spec.model_dump(mode="json"))[:SHORT]
    rows = _rows(name, asked, release, panel, history, ahead)
    kept = Forecasts(catalog, asked.service)
    with held(catalog.work_path("forecast", digest_of(asked.service)) / "lock", f"the forecast of {asked.service}"):
        kept.happened(history.table())
        is_new = not kept.has(name)
        if is_new:
            kept.add(Run(name, rows, _from(orders, name, panel)))
    what_if = None
    if asked.changes:
        there = _say(release, content, changed(panel.rows, asked.changes, content.signature, panel.time))
        what_if = _ahead(asked, content, panel, history, rolled, there).forecast
        rows = rows.append_column("what_if", pa.array(what_if.ravel()))
    told = Forecasted(
        name, release.ref, asked.features.ref, panel.origin, len(history.levels), rows.num_rows, orders.num_rows,
        is_new, float(ahead.forecast[0].sum()), None if what_if is None else float(what_if[0].sum()),
    )  # fmt: skip
    return told, {"forecast": rows, "orders": orders}


def _table(name: str, catalog: Catalog) -> Table:
    return Table(catalog.table_path("features", name))


def _say(release: VerifiedRelease, content: ModelContent, rows: pa.Table) -> Said:
    """What the release says of rows [n]. Raises Refused where it says nothing."""
    where = str(release.ref)
    packed = pack(content.signature, rows, encoders_from(content.signature.texts, content.texts))
    with closing(open_scorer(content)) as scorer:
        golden_from(release.part("report"), where).check(scorer.score, where)
        saying = Saying(content.signature, content.decision, content.interval, content.rules)
        said = saying.say(scorer.score(packed), packed)
    if not np.isfinite(said.score).all():
        raise Refused(
            "forecast_without_score",
            f"the model has no score for {int((~np.isfinite(said.score)).sum()):,} of {len(said):,} open rows",
            where=where,
            hint="look at what is missing in their inputs; train again where the world has changed",
        )
    return said


def _rolled(asked: Asked, content: ModelContent, panel: Panel, catalog: Catalog) -> Rolled | None:
    if content.backtest is None:
        return None
    trained = asked.trained
    dataset = _table(trained.name, catalog).dataset(trained.version)
    named = (trained.entity, trained.time, trained.label, asked.spec.origin, asked.spec.scale)
    columns = [name for name in dict.fromkeys(named) if name is not None]
    train = dataset.to_table(columns=columns, filter=pa.dataset.field(SPLIT) == "train")
    return rolled_of(content.backtest, train, trained, asked.spec, panel.series)


def _ahead(
    asked: Asked, content: ModelContent, panel: Panel, history: History, rolled: Rolled | None, said: Said
) -> Ahead:
    """The forecast of every node, in units."""
    scale = panel.scale[:, None]
    ends = np.maximum(said.ends, 0.0)
    own = Ahead(*(panel.spread(values) * scale for values in (said.score, *ends)))
    coverage = content.interval.coverage if content.interval else 0.9
    return reconciled(history, own, rolled, asked.spec, coverage)


def _orders(asked: Asked, panel: Panel, rolled: Rolled | None, said: Said) -> pa.Table:
    """What to order; no row where the project declares no stock."""
    stock = asked.spec.stock
    if stock is None:
        return ORDERS.empty_table().drop_columns(["run", "origin"])
    return orders_of(panel, panel.spread(said.score), rolled, stock, asked.on_hand, asked.features.entity)


def _from(orders: pa.Table, run: str, panel: Panel) -> pa.Table:
    """The orders of a run, as ORDERS."""
    own = {"run": pa.repeat(run, len(orders)), "origin": pa.repeat(pa.scalar(panel.origin, pa.date32()), len(orders))}
    return pa.table({**own, **{name: orders[name] for name in orders.column_names}})


def _rows(run: str, asked: Asked, release: VerifiedRelease, panel: Panel, history: History, ahead: Ahead) -> pa.Table:
    """The forecast as it is kept, see ``store.forecasts.FORECASTS``: node by node, day by day."""
    nodes, steps = ahead.forecast.shape
    count, node = nodes * steps, pa.array(np.repeat(np.arange(nodes), steps))
    same = {"run": run, "release": str(release.ref), "features": str(asked.features.ref)}
    return pa.table(
        {
            **{name: pa.repeat(value, count) for name, value in same.items()},
            "made_at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", tz="UTC")), count),
            "origin": pa.repeat(pa.scalar(panel.origin, pa.date32()), count),
            "level": pa.array(history.levels).take(node),
            "series": pa.array(history.tree.names).take(node),
            "day": pa.array(list(panel.days) * nodes, pa.date32()),
            "step": np.tile(np.arange(1, steps + 1), nodes),
            **{name: getattr(ahead, name).ravel() for name in _ENDS},
        }
    )
