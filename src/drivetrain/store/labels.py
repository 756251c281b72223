"""Labels as they are measured against: booleans, indices of classes, numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.task import Task

Truth = NDArray[np.bool_] | NDArray[np.int64] | NDArray[np.float64]


def truth_of(task: Task, classes: tuple[str, ...], label: pa.ChunkedArray | pa.Array) -> Truth:
    """A column of labels [n] as bool, as indices in ``classes`` (-1 for another text), or as float64."""
    if task is Task.CLASSES:
        codes = pc.index_in(label.cast(pa.string()), pa.array(classes, pa.string()))
        return np.asarray(pc.fill_null(codes, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    values = label.to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.bool_) if task is Task.YES_NO else np.asarray(values, dtype=np.float64)


def told(task: Task, classes: tuple[str, ...], label: pa.ChunkedArray) -> NDArray[np.float64]:
    """Labels [n] that were told of predictions, as float64: 0 or 1, the index of a class (-1 for another), a number.

    NaN where nothing was told, and where what was told is no label of the task: another release may have had another.
    """
    if task is Task.NUMBER:
        return np.array([_number(value) for value in label.to_pylist()], dtype=np.float64)
    texts = label.cast(pa.string())
    known = ("false", "true") if task is Task.YES_NO else classes
    codes = pc.index_in(texts, pa.array(known, pa.string()))
    unknown = codes if task is Task.YES_NO else pc.fill_null(codes, -1)
    found = pc.if_else(texts.is_null(), pa.scalar(None, pa.int32()), unknown)
    return np.asarray(found.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def classes_of(label: pa.ChunkedArray) -> tuple[str, ...]:
    """The distinct texts of a column, commonest first, ties in their order."""
    counted = pc.value_counts(label.cast(pa.string()).drop_null())
    pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
    return tuple(text for _, text in sorted(pairs, key=lambda pair: (-pair[0], pair[1])))
