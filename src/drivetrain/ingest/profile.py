"""What a loaded dataset holds, column by column, and how far each moved since the version before. In bounded memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import duckdb

from drivetrain.core.artifacts import Dataset
from drivetrain.core.errors import NotFound
from drivetrain.core.model import Distribution
from drivetrain.core.refs import Kind
from drivetrain.core.schema import Column, ColumnType
from drivetrain.ops.drift import code_cuts, psi, shift_p_value
from drivetrain.store.casting import literal, quoted
from drivetrain.store.catalog import Catalog
from drivetrain.store.pages import show_number
from drivetrain.store.tables import Table

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MAX_PSI, ALPHA = 0.2, 0.01
"""A column moved when its population stability index is above the first and its p-value under the second."""
_MEMORY = "1GB"
_BINS = 20
_CATEGORIES = 20
_NOW, _BEFORE = "now", "before"
_MOMENTS = (ColumnType.DATE, ColumnType.TIMESTAMP)
_MEASURED = (ColumnType.INTEGER, ColumnType.NUMBER, *_MOMENTS)


@dataclass(frozen=True)
class Bin:
    """A bar of a distribution: what it stands for, its rows, and those of the version before (None: there is none)."""

    label: str
    rows: int
    before: int | None


@dataclass(frozen=True)
class ColumnProfile:
    """One column. ``distinct`` is exact where it names a key, else an estimate good to a few per cent.

    ``quantiles`` are those of ``QUANTILES``, approximate; empty for what has no order worth telling. ``psi`` and
    ``p_value`` compare with the version before; None without one, and for a key.
    """

    name: str
    type: ColumnType
    missing: int
    distinct: int
    is_key: bool
    low: str
    high: str
    quantiles: tuple[str, ...]
    bins: tuple[Bin, ...]
    psi: float | None
    p_value: float | None

    @property
    def moved(self) -> bool:
        """Whether it drifted from the version before."""
        return self.psi is not None and self.p_value is not None and self.psi > MAX_PSI and self.p_value < ALPHA


@dataclass(frozen=True)
class Profile:
    """A dataset, and the version that it is held against (none: it is the first)."""

    dataset: str
    before: str | None
    rows: int
    quarantined: int
    made_at: str
    keys: tuple[str, ...]
    columns: tuple[ColumnProfile, ...]


def profile(name: str, catalog: Catalog) -> Profile:
    """The newest version of a source's dataset. Raises NotFound before the first load."""
    entries = catalog.list(Kind.DATASET, name)
    if not entries:
        raise NotFound("dataset_unknown", "nothing was loaded yet", where=name, hint=f"`drivetrain ingest {name}`")
    now = catalog.get(Dataset, entries[-1].ref)
    before = catalog.get(Dataset, entries[-2].ref) if len(entries) > 1 else None
    table = Table(catalog.table_path("datasets", name))
    with tempfile.TemporaryDirectory() as spill, duckdb.connect(config=_config(spill)) as sql:
        sql.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")
        sql.register(_NOW, table.dataset(now.version))
        if before is not None:
            sql.register(_BEFORE, table.dataset(before.version))
        known = {column.name: column.type for column in before.schema.columns} if before else {}
        columns = tuple(_column(sql, column, now.rows, known) for column in now.schema.columns)
    keys = tuple(column.name for column in columns if column.is_key)
    held_against = str(before.ref) if before else None
    return Profile(str(now.ref), held_against, now.rows, now.quarantined, entries[-1].made_at, keys, columns)


def newest_value(dataset: Dataset, column: str, catalog: Catalog) -> datetime | None:
    """The newest moment in a column of dates or times; None where there is no value or no such column."""
    if not any(one.name == column and one.type in _MOMENTS for one in dataset.schema.columns):
        return None
    rows = Table(catalog.table_path("datasets", dataset.name)).dataset(dataset.version)
    with duckdb.connect() as sql:
        sql.execute("SET TimeZone = 'UTC'")
        sql.register(_NOW, rows)
        (seconds,) = _one(sql, f"SELECT epoch(max({quoted(column)})) FROM {_NOW}")
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _config(spill: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": _MEMORY,
        "temp_directory": spill,
    }


def _column(
    sql: duckdb.DuckDBPyConnection, column: Column, rows: int, known: Mapping[str, ColumnType]
) -> ColumnProfile:
    value = quoted(column.name)
    present, distinct, low, high = _one(
        sql, f"SELECT count({value}), approx_count_distinct({value}), min({value}), max({value}) FROM {_NOW}"
    )
    missing = rows - present
    is_key = False
    if rows and not missing and distinct > 0.8 * rows:  # near enough for the estimate: count
        distinct = _one(sql, f"SELECT count(DISTINCT {value}) FROM {_NOW}")[0]
        is_key = distinct == rows
    measured = column.type in _MEASURED and low is not None
    quantiles: tuple[float, ...] = _quantiles(sql, column) if measured else ()
    held = known.get(column.name) is column.type and not is_key  # a key holds other values each time
    is_few = column.type is ColumnType.INTEGER and distinct <= _CATEGORIES
    labels, now, before = _bins(sql, column, () if is_few else quantiles, _BEFORE if held else None)
    comparable = before is not None and rows and _rows(before)
    return ColumnProfile(
        name=column.name, type=column.type, missing=missing, distinct=min(distinct, present), is_key=is_key,
        low=_shown(low), high=_shown(high), quantiles=tuple(_label(column.type, at) for at in quantiles),
        bins=_bars(labels, now, before),
        psi=psi(before, now) if before and comparable else None,
        p_value=shift_p_value(before, now) if before and comparable else None,
    )  # fmt: skip


def _bars(labels: Sequence[str], now: Distribution, before: Distribution | None) -> tuple[Bin, ...]:
    """A bar for each bin, without the empty ones at either end."""
    bars = [Bin(label, now.counts[i], before.counts[i] if before else None) for i, label in enumerate(labels)]
    filled = [i for i, bar in enumerate(bars) if bar.rows or bar.before]
    return tuple(bars[filled[0] : filled[-1] + 1]) if filled else ()


def _quantiles(sql: duckdb.DuckDBPyConnection, column: Column) -> tuple[float, ...]:
    wanted = ", ".join(map(str, QUANTILES))
    return tuple(_one(sql, f"SELECT approx_quantile({_number(column)}, [{wanted}]) FROM {_NOW}")[0])


def _bins(
    sql: duckdb.DuckDBPyConnection, column: Column, quantiles: Sequence[float], before: str | None
) -> tuple[tuple[str, ...], Distribution, Distribution | None]:
    """The labels of the bins, and both distributions over them: by value where there is an order, else by text."""
    if quantiles:
        low, width = quantiles[0], (quantiles[-1] - quantiles[0]) / _BINS
        if column.type is ColumnType.INTEGER:
            low, width = math.floor(low), max(1, math.ceil(width))
        cuts = tuple(low + width * i for i in range(_BINS + 1)) if width > 0 else (low,)
        labels = _ranges(column.type, cuts)
        place = _place(column, low, width)
    else:
        texts = _frequent(sql, column)
        cuts = code_cuts(len(texts))
        labels = ("others", *texts)
        codes = " ".join(f"WHEN {literal(text)} THEN {i}" for i, text in enumerate(texts, 1))
        place = f"CASE CAST({quoted(column.name)} AS VARCHAR) {codes} ELSE 0 END" if texts else "0"
    found = [_counted(sql, column.name, place, relation, cuts) if relation else None for relation in (_NOW, before)]
    assert found[0] is not None
    return labels, found[0], found[1]


def _place(column: Column, low: float, width: float) -> str:
    """SQL for the bin of a value: 0 below ``low``, then bins of one width, the last for whatever is above."""
    value = _number(column)
    if width <= 0:
        return f"CASE WHEN {value} < {low!r} THEN 0 ELSE 1 END"
    steps = f"1 + floor(({value} - {low!r}) / {width!r})"
    return f"CAST(greatest(0, least({_BINS + 1}, {steps})) AS INTEGER)"


def _frequent(sql: duckdb.DuckDBPyConnection, column: Column) -> tuple[str, ...]:
    value = quoted(column.name)
    rows = sql.execute(
        f"SELECT CAST({value} AS VARCHAR) AS text FROM {_NOW} WHERE {value} IS NOT NULL "
        f"GROUP BY text ORDER BY count(*) DESC, text LIMIT {_CATEGORIES}"
    ).fetchall()
    texts = [text for (text,) in rows]
    return tuple(sorted(texts, key=int) if column.type is ColumnType.INTEGER else texts)


def _counted(
    sql: duckdb.DuckDBPyConnection, name: str, place: str, relation: str, cuts: tuple[float, ...]
) -> Distribution:
    value = quoted(name)
    counts = dict(
        sql.execute(
            f"SELECT {place} AS bin, count(*) FROM {relation} WHERE {value} IS NOT NULL GROUP BY bin"
        ).fetchall()
    )
    (missing,) = _one(sql, f"SELECT count(*) - count({value}) FROM {relation}")
    return Distribution(name, cuts, tuple(int(counts.get(i, 0)) for i in range(len(cuts) + 1)), int(missing))


def _number(column: Column) -> str:
    """SQL for a value with an order as a number: seconds for dates and times."""
    value = quoted(column.name)
    return f"CAST({value} AS DOUBLE)" if column.type in (ColumnType.INTEGER, ColumnType.NUMBER) else f"epoch({value})"


def _ranges(kind: ColumnType, cuts: Sequence[float]) -> tuple[str, ...]:
    shown = [_label(kind, cut) for cut in cuts]
    if kind is ColumnType.INTEGER:
        whole = [
            _label(kind, low) if high - low == 1 else f"{_label(kind, low)} to {_label(kind, high - 1)}"
            for low, high in pairwise(cuts)
        ]
        return (f"below {shown[0]}", *whole, f"{shown[-1]} and more")
    inner = [f"{low} to {high}" for low, high in pairwise(shown)]
    return (f"below {shown[0]}", *inner, f"{shown[-1]} and more")


def _label(kind: ColumnType, value: float) -> str:
    if kind in (ColumnType.DATE, ColumnType.TIMESTAMP):
        moment = datetime.fromtimestamp(value, UTC)
        return moment.date().isoformat() if kind is ColumnType.DATE else moment.strftime("%Y-%m-%d %H:%M")
    return show_number(value)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return show_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _rows(spread: Distribution) -> int:
    return sum(spread.counts) + spread.missing


def _one(sql: duckdb.DuckDBPyConnection, query: str) -> tuple:  # type: ignore[type-arg]  # whatever the columns are
    row = sql.execute(query).fetchone()
    assert row is not None
    return row
