"""The segments of traffic: the texts, the yes and no, and the ranges of each input, each with a name a person can read.

Known beforehand from what the model learned from, so that they are the same for every row, process and day.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import Distribution, InputField, Reference, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.metrics import Numbers

Codes = NDArray[np.int32]

MOST_TEXTS = 20
"""Rarer texts of an input share one segment."""

_QUARTERS = (0.25, 0.5, 0.75)
_MISSING, _UNKNOWN = -2, -1
_FIRST_TEXT = 2
"""In the table of a text input: what is missing, what training did not see, then the categories."""


class Segmenter:
    """Tells in which segments a packed row lies: one for each input.

    ``names`` are those of all segments: ``city = Bern``, ``age 34 to 51``, ``city missing``.
    """

    def __init__(self, signature: Signature, reference: Reference) -> None:
        names: list[str] = []
        tables, cuts, lowest, missing = [], [], [], []
        for field, spread in zip(signature.inputs, reference.inputs, strict=True):
            start = len(names)
            if field.type is ColumnType.TEXT:
                table, own = _texts(field, spread)
                tables.append([start + segment for segment in table])
            else:
                between, own = _ranges(field, spread)
                cuts.append(between)
                lowest.append(start)
                missing.append(start + len(own) - 1)
            names += [f"{field.name} {name}" for name in own]
        self.names: tuple[str, ...] = tuple(names)
        self._numbers, self._texts = (_places(signature, text=text) for text in (False, True))
        self._cuts = _side_by_side(cuts)
        self._lowest, self._missing = np.array(lowest, dtype=np.int32), np.array(missing, dtype=np.int32)
        self._table = _stacked(tables)
        self._rows_of_table = np.arange(len(tables)) * self._table.shape[1] + _FIRST_TEXT

    def codes(self, rows: Numbers) -> Codes:
        """For packed rows [n, F] the places in ``names`` of their segments [n, F], one for each input."""
        found = np.empty(rows.shape, dtype=np.int32)
        if self._numbers.size:
            found[:, self._numbers] = self._ranges_of(rows.take(self._numbers, axis=1))
        if self._texts.size:
            values = rows.take(self._texts, axis=1)
            places = np.where(np.isnan(values), _MISSING, values).astype(np.intp)
            found[:, self._texts] = self._table.take(places + self._rows_of_table)
        return found

    def _ranges_of(self, values: Numbers) -> Codes:
        first, second, third = ((values >= cuts).view(np.int8) for cuts in self._cuts)
        return np.where(np.isnan(values), self._missing, self._lowest + (first + second + third))


def _places(signature: Signature, *, text: bool) -> NDArray[np.intp]:
    return np.flatnonzero([(field.type is ColumnType.TEXT) == text for field in signature.inputs])


def _texts(field: InputField, spread: Distribution) -> tuple[list[int], list[str]]:
    """The segment of what is missing, unknown, and of each category; and the names of the segments."""
    counts = np.array(spread.counts[1:]) if len(spread.counts) == len(field.categories) + 1 else np.zeros(0)
    order = np.argsort(-counts, kind="stable") if counts.size else np.arange(len(field.categories))
    shown = order[:MOST_TEXTS].tolist()
    names = [f"= {field.categories[code]}" for code in shown]
    other = len(names)
    names += ["other"] if len(field.categories) > MOST_TEXTS else []
    segment = dict.fromkeys(range(len(field.categories)), other) | {code: at for at, code in enumerate(shown)}
    unseen = len(names)
    names += ["not seen in training", "missing"]
    return [unseen + 1, unseen, *(segment[code] for code in range(len(field.categories)))], names


def _ranges(field: InputField, spread: Distribution) -> tuple[tuple[float, ...], list[str]]:
    """The cuts between the quarters of a number, and the names of the ranges between them."""
    cuts = _quartiles(spread)
    if field.type is ColumnType.BOOLEAN and len(cuts) == 1:
        return cuts, ["= false", "= true", "missing"]
    if not cuts:
        return (), ["given", "missing"]
    if field.type is ColumnType.INTEGER:
        firsts = [math.ceil(cut) for cut in cuts]
        inner = [f"{low:,} to {after - 1:,}" if low < after - 1 else f"{low:,}" for low, after in pairwise(firsts)]
        return cuts, [f"up to {firsts[0] - 1:,}", *inner, f"{firsts[-1]:,} and more", "missing"]
    show = _SHOWN.get(field.type, _number)
    inner = [f"{show(low)} to {show(high)}" for low, high in pairwise(cuts)]
    return cuts, [f"below {show(cuts[0])}", *inner, f"{show(cuts[-1])} and more", "missing"]


def _quartiles(spread: Distribution) -> tuple[float, ...]:
    """Those of the reference's cuts that part its rows most nearly into quarters."""
    counts = np.asarray(spread.counts, dtype=np.float64)
    if not spread.cuts or not counts.sum():
        return ()
    below = np.cumsum(counts)[:-1] / counts.sum()
    chosen = sorted({int(np.abs(below - quarter).argmin()) for quarter in _QUARTERS})
    return tuple(spread.cuts[at] for at in chosen)


def _side_by_side(cuts: list[tuple[float, ...]]) -> Numbers:
    """Cuts as [3, inputs]; where an input has fewer, NaN, which no value reaches."""
    most = len(_QUARTERS)
    return np.array([(*one, *[math.nan] * (most - len(one))) for one in cuts], dtype=np.float64).reshape(-1, most).T


def _stacked(tables: list[list[int]]) -> Codes:
    longest = max((len(table) for table in tables), default=0)
    return np.array([table + [0] * (longest - len(table)) for table in tables], dtype=np.int32).reshape(
        len(tables), longest
    )


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}".removesuffix(".0")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


_SHOWN: dict[ColumnType, Callable[[float], str]] = {ColumnType.DATE: _day, ColumnType.TIMESTAMP: _day}
