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


def classes_of(label: pa.ChunkedArray) -> tuple[str, ...]:
    """The distinct texts of a column, commonest first, ties in their order."""
    counted = pc.value_counts(label.cast(pa.string()).drop_null())
    pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
    return tuple(text for _, text in sorted(pairs, key=lambda pair: (-pair[0], pair[1])))
