"""One row as a caller sends it, typed by the model's signature, and packed as ``ops.packing.pack`` packs a table.

The server reads requests with it, and ``validate`` proves on every test row that both ways give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from struct import Struct, error
from typing import Annotated, Any, cast

import msgspec
import numpy as np

from drivetrain.core.model import UNKNOWN, InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.text import NO_ENCODERS, Encoders

LARGEST_INTEGER = 2**53
"""Whole numbers up to here are exact as float64."""

_BOUNDS = msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)
_TYPES: Mapping[ColumnType, Any] = {
    ColumnType.INTEGER: Annotated[int, _BOUNDS],
    ColumnType.NUMBER: float,
    ColumnType.BOOLEAN: bool,
    ColumnType.TEXT: str,
    ColumnType.DATE: date,
    ColumnType.TIMESTAMP: Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})],
}
_FIRST_DAY = date(1970, 1, 1)
_FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MISSING = float("nan")
_MANY = 8

Coder = Callable[[Any], float]


def annotation(field: InputField, *, lenient: bool) -> object:
    """The type of an input on the wire; a lenient one takes an integer that is written 45.0."""
    kind: Any = _TYPES[field.type]
    if lenient and field.type is ColumnType.INTEGER:
        kind |= Annotated[float, _BOUNDS]
    return kind | None if field.nullable else kind


def row_type(signature: Signature, entity: str | None = None, *, lenient: bool = False) -> type[msgspec.Struct]:
    """A struct with one field for each input that is asked for, in order, and the entity last.

    Inputs keep their names on the wire only.
    """
    fields: list[Any] = []
    for at, field in enumerate(signature.asked):
        kind = annotation(field, lenient=lenient)
        fields.append((f"f{at}", kind, None) if field.nullable else (f"f{at}", kind))
    names = {f"f{at}": field.name for at, field in enumerate(signature.asked)}
    if entity is not None:
        fields.append(("entity", str | int | None, None))
        names["entity"] = entity
    # keyword-only fields may be required after optional ones
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def coder(field: InputField) -> Coder | None:
    """How a typed value becomes the number that the model takes; None where it is that number."""
    if field.type is ColumnType.TEXT:
        codes = {text: float(code) for code, text in enumerate(field.categories)}
        return lambda text: codes.get(text, UNKNOWN)
    if field.type is ColumnType.DATE:
        return seconds_of_day
    if field.type is ColumnType.TIMESTAMP:
        return seconds_of
    return None


class RowPacker:
    """Packs typed values."""

    def __init__(self, signature: Signature, encoders: Encoders = NO_ENCODERS) -> None:
        self._coders = [coder(field) for field in signature.asked if field.name not in signature.texts]
        self._coded = [(at, code) for at, code in enumerate(self._coders) if code is not None]
        self._encoders = [encoders[text] for text in signature.texts]
        self._doubles = Struct(f"={len(signature.inputs)}d").pack

    def pack(self, values: Sequence[object]) -> bytes:
        """One row as float64 [F]. Struct is several times faster than NumPy here, but knows no None."""
        if self._encoders:
            plain = len(self._coders)
            texts = zip(self._encoders, cast("Sequence[str | None]", values[plain:]), strict=True)
            margins = [encoder.encode([text])[0].tolist() for encoder, text in texts]
            values = [*values[:plain], *chain.from_iterable(margins)]
        if self._coded:
            values = list(values)
            for at, code in self._coded:
                if values[at] is not None:
                    values[at] = code(values[at])
        try:
            return self._doubles(*values)
        except error:
            return self._doubles(*[_MISSING if value is None else value for value in values])

    def pack_all(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Rows as float64 [n, F]; column by column where values have to be coded and there are many."""
        if len(rows) == 1:
            return self.pack(rows[0])
        if not self._coded or len(rows) < _MANY or self._encoders:
            return b"".join([self.pack(row) for row in rows])
        packed = np.empty((len(rows), len(self._coders)), dtype=np.float64)
        for at, (code, column) in enumerate(zip(self._coders, zip(*rows, strict=True), strict=True)):
            packed[:, at] = column if code is None else [None if value is None else code(value) for value in column]
        return packed.tobytes()


def seconds_of_day(day: date) -> float:
    """Seconds since 1970 at the first moment of a day."""
    return (day - _FIRST_DAY).days * 86400.0


def seconds_of(moment: datetime) -> float:
    """Seconds since 1970; a moment without a zone is in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return ((aware - _FIRST_MOMENT) // _MICROSECOND) / 1e6
