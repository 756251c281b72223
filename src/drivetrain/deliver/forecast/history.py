"""What happened, as the SQL of the project says: series by days, and which series belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import ForecastSpec
from drivetrain.deliver.forecast.panel import numbers_of
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.reconciliation import Hierarchy, hierarchy, shares

TOTAL = "total"
_YEAR = 364
"""Days, or fewer steps of weeks, whose sums say what share a part has."""


@dataclass(frozen=True, eq=False)
class History:
    """What happened to the nodes of ``tree`` [n] on ``days`` [t]: ``values`` [n, t], and the level of each node.

    The ``series`` that the model speaks of are the bottom of the tree, unless they have several ``parts`` each.
    """

    tree: Hierarchy
    levels: tuple[str, ...]
    days: tuple[date, ...]
    values: Numbers
    series: slice
    parts: int

    @property
    def bottom(self) -> Numbers:
        """What happened to the bottom of the tree, [b, t]."""
        return self.values[-self.tree.bottom :]

    def until(self, day: date) -> History:
        """What was known at the end of a day."""
        known = self.days.index(day) + 1
        return replace(self, days=self.days[:known], values=self.values[:, :known])

    def parted(self, values: Numbers) -> Numbers:
        """Values of the series [s, h] as values of the bottom [b, h], by the shares that parts had of late."""
        known = self.bottom[:, -_YEAR:].sum(axis=1).reshape(-1, self.parts)
        return np.asarray(np.repeat(values, self.parts, axis=0) * shares(known).reshape(-1, 1))

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
    """What happened to these series and to what they add up to: every level of the spec, the total, and parts across.

    A day without a row is a day on which nothing happened. Raises InvalidInput for columns that are not there, and for
    a series that belongs to no group, or to two.
    """
    across = () if spec.across is None else (spec.across,)
    missing = [name for name in (entity, "day", "value", *spec.levels, *across) if name not in actuals.column_names]
    if missing:
        raise InvalidInput(
            "column_missing",
            f"the file gives no column {examples(missing)}",
            where=spec.actuals,
            hint=f"it gives {examples(actuals.column_names, 20)}",
        )
    for name in (entity, *across):
        actuals = actuals.set_column(actuals.column_names.index(name), name, actuals.column(name).cast(pa.string()))
    rows = actuals.filter(pc.is_in(actuals.column(entity), pa.array(series, pa.string())))
    groups = {level: _groups(rows, entity, series, level, spec) for level in spec.levels}
    parts = _parts(rows, spec)
    tree = _tree(entity, series, groups, spec.across, parts)
    below = tree.bottom if parts else 0
    at = slice(len(tree.names) - below - len(series), len(tree.names) - below)
    days, bottom = _matrix(rows, entity, series, spec.across, parts)
    levels = tuple(name.partition("/")[0] for name in tree.names)
    return History(tree, levels, days, tree.add_up(bottom), at, max(1, len(parts)))


def _parts(rows: pa.Table, spec: ForecastSpec) -> list[str]:
    """What the column ``across`` says; none without one."""
    if spec.across is None:
        return []
    column = rows.column(spec.across)
    if column.null_count:
        raise InvalidInput(
            "level_incomplete",
            f"{spec.across!r} is missing in {column.null_count:,} rows",
            where=spec.actuals,
            hint="give each row one: COALESCE(..., 'elsewhere')",
        )
    return sorted(column.unique().to_pylist())


def _tree(
    entity: str, series: Sequence[str], groups: Mapping[str, Sequence[str]], across: str | None, parts: Sequence[str]
) -> Hierarchy:
    """The total, the groups, and the series; with parts those too, and each series in parts at the bottom."""
    if across is None:
        return hierarchy([f"{entity}/{name}" for name in series], {TOTAL: ["all"] * len(series), **groups})
    above = {TOTAL: ["all"] * len(series), **groups}
    levels = {name: [one for one in found for _ in parts] for name, found in above.items()}
    whole = [name for name in series for _ in parts]
    bottom = [f"{entity}*{across}/{name}*{part}" for name in series for part in parts]
    return hierarchy(bottom, {**levels, across: list(parts) * len(series), entity: whole})


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


def _matrix(
    rows: pa.Table, entity: str, series: Sequence[str], across: str | None, parts: Sequence[str]
) -> tuple[tuple[date, ...], Numbers]:
    """The days from the first to the last, and the sums of values [b, t]."""
    at = rows.column("day").cast(pa.date32()).to_numpy().astype("datetime64[D]")
    step = _step(at)
    days = np.arange(at.min(), at.max() + step, step)
    places = pc.index_in(rows.column(entity), pa.array(series, pa.string())).to_numpy()
    if across is not None:
        places = places * len(parts) + pc.index_in(rows.column(across), pa.array(parts, pa.string())).to_numpy()
    values = np.zeros((len(series) * max(1, len(parts)), len(days)))
    np.add.at(values, (places, (at - days[0]) // step), numbers_of(rows.column("value")))
    return tuple(days.tolist()), values


def _step(at: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> np.timedelta64:
    """The shortest distance between two days on which something happened: a day, a week."""
    gaps = np.diff(np.unique(at))
    return np.timedelta64(int(gaps.astype(np.int64).min()) if len(gaps) else 1, "D")
