"""What to write under a bar: the bins of a distribution in the words of their column."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

from drivetrain.core.model import Distribution, InputField, OutputField
from drivetrain.core.schema import ColumnType
from drivetrain.store.journal import UNKNOWN_TEXT
from drivetrain.store.pages import show_number

MISSING = "missing"


def bin_labels(field: InputField | OutputField | None, spread: Distribution) -> tuple[str, ...]:
    """A label for each bin of a column (of the score, without a field), and last the one for missing values."""
    return (*_labels(field, spread), MISSING)


def _labels(field: InputField | OutputField | None, spread: Distribution) -> tuple[str, ...]:
    kind = field.type if field else ColumnType.NUMBER
    if field and kind is ColumnType.TEXT and len(spread.counts) == len(field.categories) + 1:
        return (UNKNOWN_TEXT, *field.categories)
    if not spread.cuts:
        return ("any value",)
    if kind is ColumnType.BOOLEAN and len(spread.cuts) == 1:
        return ("false", "true")
    if kind is ColumnType.INTEGER:
        return _whole_numbers(spread.cuts)
    return _ranges(spread.cuts, _SHOWN.get(kind, show_number))


def _whole_numbers(cuts: tuple[float, ...]) -> tuple[str, ...]:
    first = [math.ceil(cut) for cut in cuts]
    last = [start - 1 for start in first]
    inner = [f"{low:,}" if low >= high else f"{low:,} to {high:,}" for low, high in zip(first, last[1:], strict=False)]
    return (f"up to {last[0]:,}", *inner, f"{first[-1]:,} and more")


def _ranges(cuts: tuple[float, ...], show: Callable[[float], str]) -> tuple[str, ...]:
    inner = [f"{show(low)} to {show(high)}" for low, high in pairwise(cuts)]
    return (f"below {show(cuts[0])}", *inner, f"{show(cuts[-1])} and more")


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


_SHOWN: dict[ColumnType, Callable[[float], str]] = {
    ColumnType.DATE: _date,
    ColumnType.TIMESTAMP: _time,
}
