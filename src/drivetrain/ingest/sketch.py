"""What the values of each column are like, cheaply: the texts where they are few, the level where there is an order.

Kept beside the table from load to load, so that the next load can be held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import canonical_json, digest_bytes
from drivetrain.ops.units import ENOUGH, QUANTILES
from drivetrain.store.folders import write_file

FEW = 50
"""A column with more different texts has no categories."""
_SAMPLE = 8_192  # rows at least, twice as many at most
_FIRST = 1_000  # rows, of which more than FEW texts are no categories: the rest is not looked at
_LEVELS = 4  # of the newest loads
_EXAMPLES = 3


@dataclass(frozen=True)
class ColumnSketch:
    """A column over all loads: how many ``values``, all ``texts`` (None: more than few), newest ``levels`` last.

    A level is the quantiles of one load: of numbers, of seconds since 1970, or of the lengths of texts.
    """

    type: str
    values: int = 0
    texts: tuple[str, ...] | None = None
    levels: tuple[tuple[float, ...], ...] = ()


Sketch = Mapping[str, ColumnSketch]


@dataclass(frozen=True)
class _File:
    columns: dict[str, ColumnSketch]


def read_sketch(folder: Path, digest: str) -> Sketch:
    """The sketch of that digest; without columns where it is not there: then nothing is known."""
    try:
        return read_json((folder / f"{digest}.json").read_bytes(), _File).columns
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def keep_sketch(folder: Path, sketch: Sketch, current: str) -> str:
    """Write a sketch and give its digest. Others go, but the ``current`` one, which stands until the table's commit."""
    content = canonical_json(_File(dict(sketch)))
    digest = digest_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        if file.stem not in (current, digest):
            file.unlink()
    write_file(folder / f"{digest}.json", content)
    return digest


@dataclass(frozen=True)
class Measured:
    """A column in one load. ``texts`` counts them (None: more than few); ``level`` is None for too few values.

    ``grows``: no value is smaller than one before it, as in ids and clocks.
    """

    type: str
    values: int
    texts: Mapping[str, int] | None
    level: tuple[float, ...] | None
    grows: bool
    examples: tuple[str, ...]


@dataclass
class _Seen:
    """A column so far: its values, its texts with their rows, and sampled values."""

    type: pa.DataType
    values: int = 0
    texts: dict[str, int] | None = field(default_factory=dict)
    sample: list[pa.Array] = field(default_factory=list)


class Sketching:
    """Looks at rows as they pass: every value of columns with few texts, one row in so many of all others."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._rows, self._stride, self._kept = 0, 1, 0

    def see(self, rows: pa.Table) -> None:
        """Look at some rows. A column that comes in another type is begun anew."""
        chosen = pa.array(np.arange(-self._rows % self._stride, rows.num_rows, self._stride))
        for name in rows.column_names:
            column = rows.column(name).combine_chunks()
            seen = self._seen.get(name)
            if seen is None or seen.type != column.type:
                seen = self._seen[name] = _Seen(column.type, texts={} if pa.types.is_string(column.type) else None)
            seen.values += len(column) - column.null_count
            seen.sample.append(column.take(chosen))
            if seen.texts is not None:
                seen.texts = _counted(seen.texts, column)
        self._rows += rows.num_rows
        self._kept += len(chosen)
        while self._kept > 2 * _SAMPLE:
            self._thin()

    def measured(self) -> dict[str, Measured]:
        """Each column that was seen."""
        return {name: _measured(seen) for name, seen in self._seen.items()}

    def _thin(self) -> None:
        self._stride *= 2
        for seen in self._seen.values():
            whole = pa.concat_arrays(seen.sample)
            seen.sample = [whole.take(pa.array(np.arange(0, len(whole), 2)))]
        self._kept = (self._kept + 1) // 2


def merged(before: Sketch, load: Mapping[str, Measured]) -> Sketch:
    """What is known after a load."""
    return {**before, **{name: _merged(before.get(name), one) for name, one in load.items()}}


def _merged(before: ColumnSketch | None, load: Measured) -> ColumnSketch:
    if before is None or before.type != load.type:
        before = ColumnSketch(load.type, texts=())
    texts = None if before.texts is None or load.texts is None else tuple(sorted({*before.texts, *load.texts}))
    if texts is not None and len(texts) > FEW:
        texts = None
    levels = before.levels if load.level is None else (*before.levels, load.level)[-_LEVELS:]
    return ColumnSketch(load.type, before.values + load.values, texts, levels)


def _counted(texts: dict[str, int], column: pa.StringArray) -> dict[str, int] | None:
    """The texts and their rows, with those of a column; None when they are not few."""
    if not texts and len(column) > _FIRST and len(column.slice(0, _FIRST).unique()) > FEW:
        return None
    counts = column.value_counts()
    if len(texts) + len(counts) > 2 * FEW + 2:
        return None
    for text, rows in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
        if text is not None:
            texts[text] = texts.get(text, 0) + rows
    return texts if len(texts) <= FEW else None


def _measured(seen: _Seen) -> Measured:
    sample = pa.concat_arrays(seen.sample).drop_null()
    numbers = _numbers(sample)
    grows = bool(len(numbers) > 1 and np.all(np.diff(numbers) >= 0) and numbers[0] < numbers[-1])
    level = None
    if len(numbers) >= ENOUGH:
        level = tuple(float(value) for value in np.quantile(numbers, QUANTILES))
    shown = tuple(str(value) for value in sample.slice(0, ENOUGH).unique().slice(0, _EXAMPLES).to_pylist())
    return Measured(str(seen.type), seen.values, seen.texts, level, grows, shown)


def _numbers(values: pa.Array) -> npt.NDArray[np.float64]:
    """Values with an order as numbers, but zeros, which have no unit; lengths of texts; none of other types."""
    kind = values.type
    if pa.types.is_string(kind):
        found = pcompute.utf8_length(values)
    elif pa.types.is_date32(kind):
        found = pcompute.multiply(values.cast(pa.int32()).cast(pa.int64()), 86_400)
    elif pa.types.is_timestamp(kind):
        found = pcompute.divide(values.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()), 1_000_000)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        found = values
    else:
        return np.empty(0)
    numbers: npt.NDArray[np.float64] = np.asarray(found.cast(pa.float64(), safe=False), np.float64)
    has_unit: npt.NDArray[np.bool_] = np.isfinite(numbers) & (numbers != 0)
    return np.compress(has_unit, numbers)
