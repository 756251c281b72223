"""Recorded inputs as a model takes them: packed rows, and for those that it cannot take, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.model import InputField, Signature
from drivetrain.ops.compatibility import accepts, with_article
from drivetrain.ops.packing import pack
from drivetrain.store.tables import arrow_type, column_type

_REFUSED = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


@dataclass(frozen=True)
class Fitted:
    """``rows`` [n, F] as the model packs them, ``fits`` [n] where it can take them, and how many it cannot, by reason.

    A row that cannot be taken counts under its first reason.
    """

    rows: NDArray[np.float64]
    fits: NDArray[np.bool_]
    reasons: Mapping[str, int]


class Fitting:
    """Makes recorded rows those of a model.

    ``sent`` is the signature of the release for which callers send their rows. The lake may hold an input in a wider
    type than that, because another release once took it so. Of a free text the lake holds the numbers of its encoder.
    """

    def __init__(self, signature: Signature, sent: Signature) -> None:
        self._signature = signature
        self._sent = {field.name: field for field in sent.inputs}

    def fit(self, inputs: pa.StructArray) -> Fitted:
        """Pack n recorded rows."""
        fits = np.ones(len(inputs), dtype=np.bool_)
        reasons: dict[str, int] = {}
        columns: dict[str, pa.Array] = {}
        recorded = {field.name for field in inputs.type}
        for field in self._signature.inputs:
            given = pc.struct_field(inputs, field.name) if field.name in recorded else None
            columns[field.name], found = self._column(field, given, len(inputs))
            for reason, failed in found:
                newly = failed & fits
                if newly.any():
                    reasons[reason] = reasons.get(reason, 0) + int(newly.sum())
                    fits &= ~failed
        return Fitted(pack(self._signature, pa.table(columns)), fits, reasons)

    def _column(
        self, field: InputField, given: pa.Array | None, rows: int
    ) -> tuple[pa.Array, list[tuple[str, NDArray[np.bool_]]]]:
        """The column in the model's type, null where it has no value; and which rows fail, with the reason."""
        nothing = pa.nulls(rows, arrow_type(field.type))
        if given is None:
            reason = f"'{field.name}' was not recorded"
            return nothing, [] if field.nullable else [(reason, np.ones(rows, dtype=np.bool_))]
        sent = self._sent.get(field.name)
        if field.of and (sent is None or sent.made_by != field.made_by):
            reason = f"'{field.of}' was recorded as numbers of another text encoder"
            return nothing, [(reason, np.ones(rows, dtype=np.bool_))]
        kind = sent.type if sent else column_type(given.type)
        missing = _flags(given.is_null())
        required = (f"'{field.name}' is missing", missing & (not field.nullable))
        other = f"'{field.name}' is {with_article(kind)}, not {with_article(field.type)}"
        if not (accepts(field.type, kind) or accepts(kind, field.type)):
            return nothing, [required, (other, ~missing)]
        values = _cast(given, arrow_type(field.type))
        return values, [required, (other, _flags(values.is_null()) & ~missing)]


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values of another type; null where one has no such value."""
    try:
        return values.cast(kind)
    except _REFUSED:
        coded = values.dictionary_encode()
        each = [_cast_one(value, kind) for value in coded.dictionary]
        return pa.array(each, kind).take(coded.indices)


def _cast_one(value: pa.Scalar, kind: pa.DataType) -> object:
    try:
        return value.cast(kind).as_py()
    except _REFUSED:
        return None


def _flags(values: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
