"""Labels as they are measured against: booleans, indices of classes, numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.task import Task
from drivetrain.ops.metrics import Labels, Numbers, Truth


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


def halved(task: Task, truth: Truth) -> Labels:
    """Yes or no for measures that know nothing else: the commonest class or another, above the median or not."""
    if task is Task.CLASSES:
        return np.asarray(truth == np.bincount(truth[truth >= 0]).argmax())
    return np.asarray(truth > np.median(truth)) if task is Task.NUMBER else truth.astype(np.bool_)


def strata(task: Task, truth: Truth, least: int) -> NDArray[np.int64]:
    """The stratum [n] of each case: yes or no, its class, or which tenth of the numbers it lies in.

    Of several classes those with fewer than ``least`` cases share a stratum; where even that is too small, it joins the
    commonest class.
    """
    if task is Task.YES_NO:
        return truth.astype(np.int64)
    if task is Task.NUMBER:
        cuts = np.unique(np.quantile(truth, np.linspace(0.1, 0.9, 9)))
        codes = np.searchsorted(cuts, truth, side="right")
    else:
        codes = truth.astype(np.int64) + 1  # -1 is a class of its own
    counts = np.bincount(codes)
    common = int(counts.argmax())
    rare = (counts > 0) & (counts < least)
    if not rare.any():
        return np.asarray(codes, dtype=np.int64)
    shared = len(counts) if counts[rare].sum() >= least else common
    return np.where(rare[codes], shared, codes).astype(np.int64)


def always(task: Task, classes: int, truth: Truth, rows: int) -> Numbers:
    """What knows nothing but these truths answers to each of ``rows`` rows: base rates ([rows, K]), or the mean."""
    if task is Task.CLASSES:
        counts = np.bincount(truth[truth >= 0].astype(np.int64), minlength=classes)
        return np.tile(counts / counts.sum(), (rows, 1))
    return np.full(rows, truth.mean())


def tiled(truth: Truth, times: int) -> Truth:
    """Truths [n] over and over, for answers of several repeats."""
    return truth[np.tile(np.arange(len(truth)), times)]
