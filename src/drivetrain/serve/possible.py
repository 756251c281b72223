"""Which packed numbers can stand for a value: what comes packed, or nearly so, is held against it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import UNKNOWN, InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.rows import LARGEST_INTEGER

_LARGEST = float(np.finfo(np.float64).max)
_TIMES = (datetime(1, 1, 1, tzinfo=UTC).timestamp(), datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_RANGES: dict[ColumnType, tuple[float, float]] = {
    ColumnType.NUMBER: (-_LARGEST, _LARGEST),
    ColumnType.INTEGER: (-LARGEST_INTEGER, LARGEST_INTEGER),
    ColumnType.BOOLEAN: (0.0, 1.0),
    ColumnType.DATE: _TIMES,
    ColumnType.TIMESTAMP: _TIMES,
}
_WHOLE = (ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.TEXT)


class Possible:
    """The numbers that rows of one model may hold; see ``core.model.InputField``."""

    def __init__(self, signature: Signature) -> None:
        self._low, self._high = np.array([_range(field) for field in signature.inputs]).T
        self._nullable = np.array([field.nullable for field in signature.inputs])
        self._whole = np.flatnonzero([field.type in _WHOLE for field in signature.inputs])

    def first_wrong(self, rows: NDArray[np.float64]) -> tuple[int, int] | None:
        """The row and the input of the first number in ``rows`` [n, F] that stands for nothing; None for none."""
        wrong = (rows < self._low) | (rows > self._high) | (np.isnan(rows) & ~self._nullable)
        if len(self._whole):
            with np.errstate(invalid="ignore"):  # of infinity there is no rest
                wrong[:, self._whole] |= rows[:, self._whole] % 1 > 0
        if not wrong.any():
            return None
        row, at = np.argwhere(wrong)[0].tolist()
        return row, at


def _range(field: InputField) -> tuple[float, float]:
    return (UNKNOWN, len(field.categories) - 1) if field.type is ColumnType.TEXT else _RANGES[field.type]
