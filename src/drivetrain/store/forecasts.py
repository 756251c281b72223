"""The forecasts of a service in the lake: what was forecast, when and by which release; what happened; what to order.

Three Delta tables. A run (one release, one feature table, one way to forecast) is in ``forecasts`` whole or not at all,
in one commit, and once; its orders are written before it, so that a run that is there has its orders. What happened is
written anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import NotFound
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Commit, Table

FORECASTS = pa.schema(
    {
        "run": pa.string(), "release": pa.string(), "features": pa.string(), "made_at": pa.timestamp("us", tz="UTC"),
        "origin": pa.date32(), "level": pa.string(), "series": pa.string(), "day": pa.date32(), "step": pa.int64(),
        "forecast": pa.float64(), "low": pa.float64(), "high": pa.float64(),
    }
)  # fmt: skip
ACTUALS = pa.schema({"series": pa.string(), "day": pa.date32(), "actual": pa.float64()})
ORDERS = pa.schema(
    {
        "run": pa.string(), "origin": pa.date32(), "series": pa.string(), "demand": pa.float64(),
        "safety_stock": pa.float64(), "reorder_point": pa.float64(), "on_hand": pa.float64(), "order": pa.float64(),
    }
)  # fmt: skip
"""``demand`` is what is expected until the delivery after the next look; without a stock ``on_hand`` is null."""
By = Literal["origin", "level", "step", "series"]
BY: tuple[By, ...] = ("origin", "level", "step", "series")
_ENDS = ["forecast", "low", "high"]


@dataclass(frozen=True)
class Run:
    """One forecast: its name, who made it, from what, from which day on, and what was forecast (as FORECASTS)."""

    name: str
    rows: pa.Table
    orders: pa.Table


class Forecasts:
    """The forecasts of one service. Not for use by several threads."""

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._forecasts, self._orders, self._actuals = (
            Table(catalog.table_path(area, service)) for area in ("forecasts", "orders", "actuals")
        )

    # --- writing ----------------------------------------------------------------------------------------------------

    def has(self, run: str) -> bool:
        """Whether a run is there, whole."""
        return self._forecasts.exists() and _count(self._forecasts, run) > 0

    def add(self, run: Run) -> None:
        """Add a run that is not there yet. One process at a time writes."""
        if run.orders.num_rows and not (self._orders.exists() and _count(self._orders, run.name)):
            self._orders.append(run.orders.cast(ORDERS), _commit(run.name, run.orders))
        self._forecasts.append(run.rows.cast(FORECASTS), _commit(run.name, run.rows))

    def happened(self, rows: pa.Table) -> None:
        """What happened (as ACTUALS) takes the place of what was known before, if it is not the same."""
        rows, state = rows.cast(ACTUALS).sort_by([("series", "ascending"), ("day", "ascending")]), self._actuals.state()
        commit = _commit(digest_bytes(_encoded(rows)), rows)
        if state is None or state.commit != commit:
            self._actuals.overwrite(rows, commit)

    # --- reading ----------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether anything was ever forecast."""
        return self._forecasts.exists()

    def state(self) -> tuple[str, int]:
        """Which table forecasts are kept in, and its version: another one after every run. Raises NotFound."""
        return self._forecasts.identity(), self._forecasts.version()

    def made(self) -> pa.Table:
        """Every forecast, run by run as they were made (FORECASTS), with a ``prediction_id`` of its own."""
        order = [(name, "ascending") for name in ("made_at", "run", "level", "series", "day")]
        rows = self._forecasts.read().sort_by(order)
        return _named(rows, [rows["run"], rows["series"], rows["day"].cast(pa.string())])

    def ordered(self) -> pa.Table:
        """Every order of a run that is there, run by run (ORDERS, ``made_at``), with a ``prediction_id`` of its own."""
        if not self._orders.exists():
            return _named(ORDERS.append(FORECASTS.field("made_at")).empty_table(), [])
        runs = self._forecasts.read(columns=["run", "made_at"]).group_by("run", use_threads=False)
        made = runs.aggregate([("made_at", "min")]).rename_columns(["run", "made_at"])
        rows = self._orders.read().join(made, "run", join_type="inner", use_threads=False)
        rows = rows.sort_by([(name, "ascending") for name in ("made_at", "run", "series")])
        return _named(rows, [rows["run"], rows["series"]])

    def newest(self, series: str | None = None) -> pa.Table:
        """The newest run of the newest origin, of one series or all; see FORECASTS. Raises NotFound."""
        found = self._of(series)
        newest = found.filter(pc.equal(found["origin"], pc.max(found["origin"])))
        last = newest.filter(pc.equal(newest["made_at"], pc.max(newest["made_at"])))
        return last.sort_by([("series", "ascending"), ("day", "ascending")])

    def series(self) -> pa.Table:
        """Every series of the newest run, smallest level first: level, series, the sums of forecast and ends."""
        found = self.newest().group_by(["level", "series"], use_threads=False)
        sums = found.aggregate([(name, "sum") for name in _ENDS]).rename_columns(["level", "series", *_ENDS])
        sizes = sums.group_by("level", use_threads=False).aggregate([([], "count_all")])
        order = [("count_all", "ascending"), ("level", "ascending"), ("series", "ascending")]
        return sums.join(sizes, "level", use_threads=False).sort_by(order).select(sums.column_names)

    def seen(self, series: str, days: int) -> pa.Table:
        """The last ``days`` days of what happened, then the newest forecast: day, actual, forecast, low, high."""
        ahead = self.newest(series).select(["day", *_ENDS])
        known = self._happened(series).select(["day", "actual"])
        known = known.slice(max(0, known.num_rows - days))
        return known.join(ahead, keys="day", join_type="full outer", use_threads=False).sort_by("day")

    def history(self, series: str, origins: int) -> pa.Table:
        """Every forecast of a series from its newest origins, newest first, with what happened where that is known."""
        found = self._of(series)
        wanted = np.sort(pc.unique(found["origin"]).to_numpy(zero_copy_only=False))[-origins:]
        some = found.filter(pc.is_in(found["origin"], pa.array(wanted, pa.date32())))
        told = some.join(self._happened(series).drop_columns(["series"]), keys="day", use_threads=False)
        order = [("origin", "descending"), ("made_at", "descending"), ("day", "ascending")]
        return told.select(["origin", "made_at", "release", "day", "step", *_ENDS, "actual"]).sort_by(order)

    def accuracy(self, by: Sequence[By] = ("origin", "level")) -> pa.Table:
        """How good forecasts were where the truth has arrived, parted ``by``: mean of what happened, mean error, mean
        absolute error, its share of what happened (WAPE), RMSE, and the share that lay between low and high.
        """
        if not (self._forecasts.exists() and self._actuals.exists()):
            raise _nothing("")
        known = self._actuals.read()
        ahead = self._forecasts.read(columns=[*dict.fromkeys(["series", "day", *by]), *_ENDS])
        joined = ahead.join(known, keys=["series", "day"], join_type="inner", use_threads=False)
        error = pc.subtract(joined["forecast"], joined["actual"])
        inside = pc.and_(
            pc.less_equal(joined["low"], joined["actual"]), pc.less_equal(joined["actual"], joined["high"])
        )
        measured: dict[str, pa.ChunkedArray] = {"actual": joined["actual"], "error": error, "absolute": pc.abs(error),
                    "square": pc.multiply(error, error), "covered": inside.cast(pa.float64())}  # fmt: skip
        rows = pa.table({name: joined[name] for name in by} | measured)
        means = rows.group_by(list(by), use_threads=False).aggregate(
            [("error", "count"), *((name, "mean") for name in measured)]
        )
        return _told(means, by)

    def orders(self, series: str | None = None) -> pa.Table:
        """The orders of the newest run, see ORDERS; none where no stock was declared."""
        if not self._orders.exists():
            return ORDERS.empty_table()
        run = self.newest(series)["run"][0].as_py()
        wanted = ds.field("run") == run
        wanted = wanted if series is None else wanted & (ds.field("series") == series)
        return self._orders.dataset().to_table(filter=wanted)

    def _of(self, series: str | None) -> pa.Table:
        """Every forecast of one series, or of all. Raises NotFound when there is none."""
        wanted = None if series is None else ds.field("series") == series
        if not self._forecasts.exists():
            raise _nothing("")
        found = self._forecasts.dataset().to_table(filter=wanted)
        if not found.num_rows:
            raise _nothing(series or "")
        return found

    def _happened(self, series: str) -> pa.Table:
        if not self._actuals.exists():
            return ACTUALS.empty_table()
        return self._actuals.dataset().to_table(filter=ds.field("series") == series).sort_by("day")


def _told(means: pa.Table, by: Sequence[By]) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {
        **{name: means[name] for name in by},
        "rows": means["error_count"],
        "mean_actual": means["actual_mean"],
        "mean_error": means["error_mean"],
        "mae": means["absolute_mean"],
        "wape": pc.divide(means["absolute_mean"], means["actual_mean"]),
        "rmse": pc.sqrt(means["square_mean"]),
        "coverage": means["covered_mean"],
    }
    return pa.table(columns).sort_by([(name, "ascending") for name in by])


def _named(rows: pa.Table, parts: list[pa.ChunkedArray]) -> pa.Table:
    """With a key: the parts, with a bar between."""
    key = pc.binary_join_element_wise(*parts, "|") if parts else pa.array([], pa.string())
    return rows.append_column("prediction_id", key)


def _encoded(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())


def _count(table: Table, run: str) -> int:
    return int(table.dataset().count_rows(filter=ds.field("run") == run))


def _commit(name: str, rows: pa.Table) -> Commit:
    return Commit("", name, rows.num_rows)


def _nothing(series: str) -> NotFound:
    if series:
        return NotFound(
            "series_unknown",
            f"nothing was forecast of {series[:80]}",
            hint="GET /v1/series lists what is forecast",
        )
    return NotFound("no_forecast", "nothing was forecast yet", hint="`drivetrain forecast` makes the first one")
