"""What happened, as the SQL of the project says: series by days, and which series belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import ForecastSpec
from drivetrain.deliver.forecast.panel import numbers_of
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.reconciliation import Hierarchy, hierarchy

TOTAL = "total"


@dataclass(frozen=True, eq=False)
class History:
    """What happened to the nodes of ``tree`` [n] on ``days`` [t]: ``values`` [n, t], and the level of each node."""

    tree: Hierarchy
    levels: tuple[str, ...]
    days: tuple[date, ...]
    values: Numbers

    def table(self) -> pa.Table:
        """A row for each node and day: series, day, actual."""
        nodes, steps = len(self.tree.names), len(self.days)
        return pa.table(
            {
                "series": pa.array(self.tree.names, pa.string()).take(pa.array(np.repeat(np.arange(nodes), steps))),
                "day": pa.array(list(self.days) * nodes, pa.date32()),
                "actual": self.values.ravel(),
            }
        )


def history_of(actuals: pa.Table, entity: str, series: Sequence[str], spec: ForecastSpec) -> History:
    """What happened to these series and to what they add up to: every level of the spec, and the total.

    A day without a row is a day on which nothing happened. Raises InvalidInput for columns that are not there, and for
    a series that belongs to no group, or to two.
    """
    missing = [name for name in (entity, "day", "value", *spec.levels) if name not in actuals.column_names]
    if missing:
        raise InvalidInput(
            "column_missing",
            f"the file gives no column {examples(missing)}",
            where=spec.actuals,
            hint=f"it gives {examples(actuals.column_names, 20)}",
        )
    names = actuals.column(entity).cast(pa.string())
    rows = actuals.set_column(actuals.column_names.index(entity), entity, names)
    rows = rows.filter(pc.is_in(names, pa.array(series, pa.string())))
    groups = {level: _groups(rows, entity, series, level, spec) for level in spec.levels}
    tree = hierarchy([f"{entity}/{name}" for name in series], {TOTAL: ["all"] * len(series), **groups})
    upper = [name.partition("/")[0] for name in tree.names[: -len(series)]]
    days, bottom = _matrix(rows, entity, series)
    return History(tree, (*upper, *([entity] * len(series))), days, tree.add_up(bottom))


def _groups(rows: pa.Table, entity: str, series: Sequence[str], level: str, spec: ForecastSpec) -> list[str]:
    pairs = rows.select([entity, level]).group_by([entity, level], use_threads=False).aggregate([])
    found = dict(zip(pairs[entity].to_pylist(), pairs[level].cast(pa.string()).to_pylist(), strict=True))
    unsure = [name for name in series if found.get(name) is None]
    if unsure or len(found) != pairs.num_rows:
        raise InvalidInput(
            "level_incomplete",
            f"{level!r} says for {examples(unsure) or 'some series'} no group, or several",
            where=spec.actuals,
            hint=f"give each {entity} one {level} in all of its rows, and one row at least",
        )
    return [str(found[name]) for name in series]


def _matrix(rows: pa.Table, entity: str, series: Sequence[str]) -> tuple[tuple[date, ...], Numbers]:
    """The days from the first to the last, and the sums of values [b, t]."""
    at = rows.column("day").cast(pa.date32()).to_numpy().astype("datetime64[D]")
    step = _step(at)
    days = np.arange(at.min(), at.max() + step, step)
    places = pc.index_in(rows.column(entity), pa.array(series, pa.string())).to_numpy()
    values = np.zeros((len(series), len(days)))
    np.add.at(values, (places, (at - days[0]) // step), numbers_of(rows.column("value")))
    return tuple(days.tolist()), values


def _step(at: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> np.timedelta64:
    """The shortest distance between two days on which something happened: a day, a week."""
    gaps = np.diff(np.unique(at))
    return np.timedelta64(int(gaps.astype(np.int64).min()) if len(gaps) else 1, "D")
