"""Rows to compare two copies of a model by: made up from what it learned from, nobody's data, the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import UNKNOWN, Distribution, InputField, Reference, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.metrics import Numbers

ROWS = 64
_LEAST_MISSING = 1 / 16
"""A column that may be missing is so in about one row in sixteen, however seldom that was in training."""
_DAY = 86400.0


def golden_rows(signature: Signature, reference: Reference, count: int = ROWS, seed: int = 0) -> Numbers:
    """Synthetic packed rows, float64 [count, F]: the same signature, reference and seed give the same bytes anywhere.

    The first five, as far as ``count`` goes, are the typical row, every input at the lower and at the upper end of its
    range, everything missing that may be, and every text unknown. In the others each input is drawn by itself from the
    bins of its reference, so no row is that of a person. Raises ValueError when the reference is of other inputs.
    """
    spreads = zip(signature.inputs, reference.inputs, strict=True)
    columns = [
        np.concatenate([_edges(field, spread), _drawn(field, spread, max(0, count - 5), seed, at)])
        for at, (field, spread) in enumerate(spreads)
    ]
    return np.column_stack(columns)[:count] if columns else np.empty((count, 0))


def _edges(field: InputField, spread: Distribution) -> Numbers:
    low, high = _range(field, spread)
    missing = np.nan if field.nullable else field.typical
    unknown = UNKNOWN if field.type is ColumnType.TEXT else field.typical
    return np.array([field.typical, low, high, missing, unknown], dtype=np.float64)


def _drawn(field: InputField, spread: Distribution, count: int, seed: int, at: int) -> Numbers:
    """Values by the inverse of the distribution function: a bin by its count, then evenly between the bin's ends."""
    missing, which, where = _uniform(3 * count, seed, at).reshape(3, count)
    low, high = _range(field, spread)
    ends = np.array([low, *spread.cuts, high])
    reached = np.cumsum(spread.counts)
    bins = np.minimum(np.searchsorted(reached, which * reached[-1], side="right"), len(spread.counts) - 1)
    # not low + share * width: the width of a range may overflow
    values = np.clip(_grid(field, ends[bins] * (1 - where) + ends[bins + 1] * where), low, high)
    if field.nullable:
        rows = max(1, int(reached[-1]) + spread.missing)
        values[missing < max(_LEAST_MISSING, spread.missing / rows)] = np.nan
    return values


def _range(field: InputField, spread: Distribution) -> tuple[float, float]:
    """The values an input may take, the cut points among them; that of training, where it is known."""
    if field.type is ColumnType.TEXT:
        return UNKNOWN, float(len(field.categories) - 1)
    if field.type is ColumnType.BOOLEAN:
        return 0.0, 1.0
    seen = [value for value in (field.low, field.high) if value is not None]
    low, high = _grid(field, np.array([min(limits := [field.typical, *seen, *spread.cuts]), max(limits)])).tolist()
    return low, high


def _grid(field: InputField, values: Numbers) -> Numbers:
    """The nearest values that the type of the input has: whole days, whole seconds, whole numbers, codes."""
    if field.type is ColumnType.NUMBER:
        return values
    step = _DAY if field.type is ColumnType.DATE else 1.0
    return np.rint(values / step) * step + 0.0  # no minus zero


def _uniform(count: int, seed: int, at: int) -> Numbers:
    """Numbers in [0, 1), one column's own. From raw bits: NumPy promises that only they stay as they are."""
    bits: NDArray[np.uint64] = np.random.PCG64([seed, at]).random_raw(count)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
