"""From typed columns to the one float64 matrix that a model takes: the same arithmetic in training and in serving."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.model import UNKNOWN, InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.text import NO_ENCODERS, Encoders

__all__ = ["UNKNOWN", "pack"]


def pack(signature: Signature, table: pa.Table, encoders: Encoders = NO_ENCODERS) -> NDArray[np.float64]:
    """The rows of a table as float64 [n, F], columns in signature order; see ``core.model.InputField`` for the codes.

    Free texts are encoded; without their encoders the table holds what they were encoded as, as a recorded row does.
    Raises KeyError when the table lacks a column of the signature.
    """
    packed = np.empty((table.num_rows, len(signature.inputs)), dtype=np.float64)
    if not encoders:
        for position, field in enumerate(signature.inputs):
            packed[:, position] = _pack_column(field, table.column(field.name))
        return packed
    for field in signature.asked:
        column, place = table.column(field.name), signature.place(field)
        if field.name in encoders:
            packed[:, place] = encoders[field.name].encode(column.to_pylist())
        else:
            packed[:, place] = _pack_column(field, column)[:, None]
    return packed


def _pack_column(field: InputField, column: pa.ChunkedArray) -> NDArray[np.float64]:
    if field.type is ColumnType.TEXT:
        codes = pc.index_in(column.cast(pa.string()), pa.array(field.categories, pa.string()))
        known = pc.fill_null(codes.cast(pa.float64()), UNKNOWN)
        numbers = pc.if_else(pc.is_null(column), pa.scalar(None, pa.float64()), known)
    elif field.type is ColumnType.DATE:
        numbers = pc.multiply(column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64()), 86400.0)
    elif field.type is ColumnType.TIMESTAMP:
        # not safe: from the year 2255 on microseconds are rounded, and 9999-12-31 is how many say "without end"
        micros = column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
        numbers = pc.divide(micros, 1e6)
    else:
        numbers = column if column.type == pa.float64() else column.cast(pa.float64())
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)  # a null is NaN
