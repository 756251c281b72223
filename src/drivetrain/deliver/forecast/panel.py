"""Rows of a feature table as a panel: a series a row, a step a column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import ForecastSpec
from drivetrain.ops.metrics import Numbers
from drivetrain.store.tables import Table


@dataclass(frozen=True, eq=False)
class Panel:
    """The rows that were made at one origin. ``places`` [b, h] says where series and step stand in ``rows``.

    ``scale`` [b] is what a score of a series is multiplied by to be in units; ``days`` [h] are the days ahead, which
    stand in the column ``time``.
    """

    rows: pa.Table
    time: str
    origin: date
    series: tuple[str, ...]
    days: tuple[date, ...]
    places: NDArray[np.int64]
    scale: Numbers

    def spread(self, values: Numbers) -> Numbers:
        """A value for each row [n] as [b, h]."""
        return np.asarray(values[self.places])


def panel_of(rows: pa.Table, features: Features, spec: ForecastSpec) -> Panel:
    """The panel of rows that were made at one origin.

    Raises InvalidInput for rows of several origins, and where a series lacks a step or has one twice.
    """
    if features.time is None:
        raise _unfit("a forecast needs `features.time`: the day that a row speaks of")
    origin = _only(rows, spec.origin)
    names, codes = np.unique(rows.column(features.entity).cast(pa.string()).to_numpy(), return_inverse=True)
    days, steps = np.unique(rows.column(features.time).cast(pa.date32()).to_numpy(), return_inverse=True)
    if len(names) * len(days) != rows.num_rows or len(np.unique(codes * len(days) + steps)) != rows.num_rows:
        raise _unfit(f"{rows.num_rows:,} rows are not {len(names):,} series of {len(days)} days each")
    places = np.empty((len(names), len(days)), dtype=np.int64)
    places[codes, steps] = np.arange(rows.num_rows)
    scale = np.ones(rows.num_rows) if spec.scale is None else numbers_of(rows.column(spec.scale))
    return Panel(
        rows, features.time, origin, tuple(map(str, names)), tuple(days.astype("datetime64[D]").tolist()), places,
        scale[places[:, 0]],
    )  # fmt: skip


def open_rows(features: Features, spec: ForecastSpec, table: Table) -> pa.Table:
    """The rows whose outcome nobody knows yet. Raises InvalidInput when there are none, or a column is not kept."""
    missing = [name for name in (spec.origin, spec.scale) if name is not None and name not in features.kept]
    if missing:
        raise _unfit(f"{examples(missing)} must stand under `features.keep`")
    rows = table.dataset(features.version).to_table(filter=pc.field("split") == "open")
    if not rows.num_rows:
        raise InvalidInput(
            "no_open_rows",
            f"{features.ref} has no row whose outcome is still to come",
            where="features.open",
            hint="set `features.open: true`, and let the spine give the days after the data, with a null label",
        )
    return rows


def numbers_of(column: pa.ChunkedArray) -> Numbers:
    """A column of numbers as float64 [n]."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _only(rows: pa.Table, name: str) -> date:
    origins = pc.unique(rows.column(name).cast(pa.date32())).to_pylist()
    if len(origins) != 1 or origins[0] is None:
        raise _unfit(f"open rows have {len(origins)} origins, and a forecast is made on one day")
    (origin,) = origins
    assert isinstance(origin, date)
    return origin


def _unfit(why: str) -> InvalidInput:
    return InvalidInput(
        "forecast_unfit", why, where="forecast", hint="docs/packs/forecast.md shows the columns that a forecast needs"
    )
