"""Cases parted by the values of a column: ranges of a number, values of a text, and those without a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.model import UNKNOWN, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import cut_points
from drivetrain.ops.metrics import Labels, Numbers


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the cases: what a person calls them, the columns they were chosen by, and which they are, bool [n]."""

    label: str
    columns: tuple[str, ...]
    rows: Labels

    def __and__(self, other: Part) -> Part:
        return Part(f"{self.label}, {other.label}", self.columns + other.columns, self.rows & other.rows)


def parts_by_cuts(name: str, values: Numbers, cuts: Sequence[float]) -> tuple[Part, ...]:
    """The ranges between ``cuts`` (each holds its lower end), and the rows without a value (NaN)."""
    ends = (None, *cuts, None)
    known = [Part(_range(name, low, high), (name,), _within(values, low, high)) for low, high in pairwise(ends)]
    return _filled([*known, Part(f"{name} missing", (name,), np.isnan(values))])


def parts_by_value(name: str, column: pa.ChunkedArray) -> tuple[Part, ...]:
    """Each distinct value, commonest first, and the rows without one."""
    texts = pc.cast(column, pa.string())
    counted = sorted(pc.value_counts(texts.drop_null()).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    known = [Part(f"{name} = {one['values']}", (name,), _bools(pc.equal(texts, one["values"]))) for one in counted]
    return _filled([*known, Part(f"{name} missing", (name,), _bools(pc.is_null(column)))])


def parts_of_input(field: InputField, values: Numbers, bins: int) -> tuple[Part, ...]:
    """The parts of a packed column [n]: categories of a text, yes and no, or about ``bins`` ranges of equal count."""
    if field.type is ColumnType.TEXT:
        named = [*enumerate(field.categories), (UNKNOWN, "not seen in training")]
    elif field.type is ColumnType.BOOLEAN:
        named = [(0.0, "false"), (1.0, "true")]
    else:
        return parts_by_cuts(field.name, values, cut_points(values, bins))
    known = [Part(f"{field.name} = {text}", (field.name,), values == code) for code, text in named]
    return _filled([*known, Part(f"{field.name} missing", (field.name,), np.isnan(values))])


def numbers(column: pa.ChunkedArray) -> Numbers:
    """A column of numbers as float64 [n], NaN where there is no value."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False))


def _filled(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.rows.any())


def _within(values: Numbers, low: float | None, high: float | None) -> Labels:
    inside = ~np.isnan(values)
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values < high
    return inside


def _range(name: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return f"{name} given"
    if low is None:
        return f"{name} < {high:.6g}"
    return f"{name} ≥ {low:.6g}" if high is None else f"{low:.6g} ≤ {name} < {high:.6g}"


def _bools(values: pa.ChunkedArray) -> Labels:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
