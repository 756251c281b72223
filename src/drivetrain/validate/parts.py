"""Cases parted by the values of a column: ranges of a number, values of a text, and those without a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.model import UNKNOWN, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import cut_points
from drivetrain.ops.metrics import Labels, Numbers

_COMMON = 20


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the cases: what a person calls them, the columns they were chosen by, and which they are, bool [n]."""

    label: str
    columns: tuple[str, ...]
    rows: Labels

    def __and__(self, other: Part) -> Part:
        return Part(f"{self.label}, {other.label}", self.columns + other.columns, self.rows & other.rows)


def parts_by_cuts(
    name: str, values: Numbers, cuts: Sequence[float], show: Callable[[float], str] = "{:.4g}".format
) -> tuple[Part, ...]:
    """The ranges between ``cuts`` (each holds its lower end), and the rows without a value (NaN)."""
    known = [
        Part(_range(name, low, high, show), (name,), _within(values, low, high))
        for low, high in pairwise((None, *cuts, None))
    ]
    return _filled([*known, Part(f"{name} missing", (name,), np.isnan(values))])


def parts_by_value(name: str, column: pa.ChunkedArray) -> tuple[Part, ...]:
    """Each distinct value, commonest first, and the rows without one."""
    texts = pc.cast(column, pa.string())
    counted = sorted(pc.value_counts(texts.drop_null()).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    known = [Part(f"{name} = {one['values']}", (name,), _bools(pc.equal(texts, one["values"]))) for one in counted]
    return _filled([*known, Part(f"{name} missing", (name,), _bools(pc.is_null(column)))])


def parts_of_input(field: InputField, values: Numbers, bins: int) -> tuple[Part, ...]:
    """The parts of a packed column [n]: the commonest texts, yes and no, or about ``bins`` ranges of equal count."""
    if field.type is ColumnType.TEXT:
        names = {float(code): text for code, text in enumerate(field.categories)} | {UNKNOWN: "not seen in training"}
    elif field.type is ColumnType.BOOLEAN:
        names = {0.0: "false", 1.0: "true"}
    else:
        return _ranges(field, values, bins)
    codes, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    common = codes[np.argsort(-counts, kind="stable")][:_COMMON]
    known = [Part(f"{field.name} = {names[code]}", (field.name,), values == code) for code in common.tolist()]
    return _filled([*known, Part(f"{field.name} missing", (field.name,), np.isnan(values))])


def _ranges(field: InputField, values: Numbers, bins: int) -> tuple[Part, ...]:
    cuts = cut_points(values, bins)
    if field.type is ColumnType.INTEGER:
        return parts_by_cuts(field.name, values, sorted({math.ceil(cut) for cut in cuts}), "{:.0f}".format)
    if field.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return parts_by_cuts(field.name, values, cuts, show_day)
    return parts_by_cuts(field.name, values, cuts)


def numbers(column: pa.ChunkedArray) -> Numbers:
    """A column of numbers as float64 [n], NaN where there is no value."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False))


def show_day(seconds: float) -> str:
    """Seconds since 1970 as a date, ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _filled(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.rows.any())


def _within(values: Numbers, low: float | None, high: float | None) -> Labels:
    inside = ~np.isnan(values)
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values < high
    return inside


def _range(name: str, low: float | None, high: float | None, show: Callable[[float], str]) -> str:
    if low is None:
        return f"{name} given" if high is None else f"{name} < {show(high)}"
    return f"{name} ≥ {show(low)}" if high is None else f"{show(low)} ≤ {name} < {show(high)}"


def _bools(values: pa.ChunkedArray) -> Labels:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
