"""From rows as they come to rows as the model takes them, the way the server does; what it would refuse is a bad row.

Text that the model does not know is unknown to it, a missing value is missing. A value that cannot be read as its
column's type, and a missing value where the model needs one, make a bad row, with every reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import Column, ColumnType
from drivetrain.deliver.parts import Columns
from drivetrain.deliver.values import Flags, Reader, Typed, flags
from drivetrain.ops.packing import pack
from drivetrain.ops.rows import LARGEST_INTEGER
from drivetrain.ops.text import NO_ENCODERS, Encoders
from drivetrain.store.casting import MEANING
from drivetrain.store.files.batches import Batch
from drivetrain.store.tables import column_type

RESERVED = ("score", "decision", "release", "file", "row")
"""The columns of the output that are not carried along; the outputs of the signature are none either."""
NO_SCORE = "the model has no score for this row"
_SHOWN = 80  # characters of a bad value


@dataclass(frozen=True)
class BadRow:
    """A row without a prediction: its number, its values as JSON, and why."""

    number: int
    raw: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Packed:
    """n rows to score: as float64 [n, F], with what is carried along and the column ``row``, and as they were read.

    ``bad`` are the rows between them that cannot be scored, ``last`` is the number of the last row of both kinds, and
    ``done`` how many bytes of the part have been passed.
    """

    rows: NDArray[np.float64]
    kept: pa.Table
    source: pa.Table
    bad: tuple[BadRow, ...]
    last: int
    done: int

    def raw(self, at: int) -> str:
        """The values of row ``at``, as JSON."""
        return _raw(self.source, at)


def kept_columns(
    columns: Columns, wanted: tuple[str, ...] | None, signature: Signature, where: str
) -> tuple[Column, ...]:
    """The columns to carry along, with their types; without a wish the entity's, if it is there.

    Raises InvalidInput when a wanted one is not there or is called like one of the output.
    """
    there = columns.types.names
    names = wanted if wanted is not None else tuple(name for name in (signature.entity,) if name in there)
    reserved = (*RESERVED, *(field.name for field in signature.outputs))
    for name in names:
        if name in reserved:
            raise InvalidInput(
                "keep_reserved",
                f"{name!r} cannot be carried along: the output has a column of that name",
                hint=f"rename it in the input; the output has {', '.join(reserved)}",
            )
        if name not in there:
            raise _missing([name], there, where)
    return tuple(Column(name, column_type(columns.types.field(name).type)) for name in names)


class BatchPacker:
    """Packs batches for one model, and carries columns along."""

    def __init__(self, signature: Signature, kept: tuple[Column, ...], encoders: Encoders = NO_ENCODERS) -> None:
        self._signature = signature
        self._encoders = encoders
        asked = [field.name for field in signature.asked]
        self._kept = kept
        self._reader = Reader()
        self.names = tuple(dict.fromkeys((*asked, *(column.name for column in kept))))

    def close(self) -> None:
        """Let go of what reads."""
        self._reader.close()

    def check(self, columns: Columns, where: str) -> None:
        """Raise InvalidInput, with the near match, when a part lacks a column.

        In JSON lines an input that may be missing may also be left out, but not where another name looks like it.
        """
        there = columns.types.names
        missing = [name for name in self.names if name not in there]
        if columns.optional:
            needed = {field.name for field in self._signature.asked if not field.nullable}
            others = [name for name in there if name not in self.names]
            missing = [name for name in missing if name in needed or _near(name, others, cutoff=0.8)]
        if missing and (there or not columns.optional):
            raise _missing(missing, there, where)

    def pack(self, batch: Batch, size: int) -> Iterator[Packed]:
        """The rows of a batch, at most ``size`` at a time."""
        numbers = batch.numbers.to_numpy()
        end = max([0, *numbers[-1:].tolist(), *(row.number for row in batch.broken)])
        passed = 0
        for start in range(0, max(len(numbers), 1), size):
            few = numbers[start : start + size]
            last = end if start + size >= len(numbers) else int(few[-1])
            broken = [
                BadRow(row.number, msgspec.json.encode(row.text).decode(), (row.reason,))
                for row in batch.broken
                if passed < row.number <= last
            ]
            yield self._pack(batch.rows.slice(start, size), few, broken, last, batch.done)
            passed = last

    def _pack(self, rows: pa.Table, numbers: NDArray[np.int64], broken: list[BadRow], last: int, done: int) -> Packed:
        reasons: dict[int, list[str]] = {}
        inputs = {field.name: self._input(field, rows, reasons) for field in self._signature.asked}
        kept = {column.name: self._column(column.name, column.type, rows, reasons).values for column in self._kept}
        packed = pack(self._signature, pa.table(inputs), self._encoders)
        carried = pa.table({**kept, "row": numbers})
        bad = [BadRow(int(numbers[at]), _raw(rows, at), tuple(dict.fromkeys(why))) for at, why in reasons.items()]
        if reasons:
            good = np.ones(rows.num_rows, dtype=np.bool_)
            good[list(reasons)] = False
            packed, carried, rows = packed[good], carried.filter(pa.array(good)), rows.filter(pa.array(good))
        return Packed(packed, carried, rows, tuple(sorted([*bad, *broken], key=_number)), last, done)

    def _input(self, field: InputField, rows: pa.Table, reasons: dict[int, list[str]]) -> pa.Array:
        """An input in its type, null where its value cannot be used."""
        values, bad = self._column(field.name, field.type, rows, reasons)
        outside = _outside(values, field.type)
        if outside.any():
            for at in np.flatnonzero(outside).tolist():
                _note(reasons, at, field.name, values[at].as_py(), field.type)
            values = pc.if_else(pa.array(outside), pa.scalar(None, values.type), values)
        if not field.nullable:
            missing = flags(values.is_null(nan_is_null=True)) & ~bad & ~outside
            for at in np.flatnonzero(missing).tolist():
                reasons.setdefault(at, []).append(f"{field.name} is missing")
        return values

    def _column(self, name: str, kind: ColumnType, rows: pa.Table, reasons: dict[int, list[str]]) -> Typed:
        column = rows.column(name) if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows)])
        read = self._reader.read(column, kind)
        for at in np.flatnonzero(read.bad).tolist():
            _note(reasons, at, name, column[at].as_py(), kind)
        return read


def _outside(values: pa.Array, kind: ColumnType) -> Flags:
    """Which values are of the type, but cannot be packed: infinite ones, integers that no float64 holds."""
    if kind is ColumnType.NUMBER:
        return np.asarray(np.isinf(values.to_numpy(zero_copy_only=False)))
    if kind is ColumnType.INTEGER:
        numbers = values.fill_null(0).to_numpy()
        return np.asarray((numbers > LARGEST_INTEGER) | (numbers < -LARGEST_INTEGER))
    return np.zeros(len(values), dtype=np.bool_)


def _note(reasons: dict[int, list[str]], at: int, name: str, value: object, kind: ColumnType) -> None:
    reasons.setdefault(at, []).append(f"{name}: {str(value)[:_SHOWN]!r} is not {MEANING[kind]}")


def _number(row: BadRow) -> int:
    return row.number


def _raw(rows: pa.Table, at: int) -> str:
    (values,) = rows.slice(at, 1).to_pylist()
    shown = {name: None if value is None else str(value) for name, value in values.items()}
    return msgspec.json.encode(shown).decode()


def _near(name: str, others: list[str], cutoff: float = 0.5) -> list[str]:
    return difflib.get_close_matches(name, others, n=1, cutoff=cutoff)


def _missing(names: list[str], there: list[str], where: str) -> InvalidInput:
    near = _near(names[0], [name for name in there if name not in names])
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return InvalidInput(
        "input_column_missing",
        f"there is no column {examples(map(repr, names))}{guess}",
        where=where,
        hint=f"it has {examples(there, 20) or 'no columns'}; the columns are those of the feature table, by name",
    )
