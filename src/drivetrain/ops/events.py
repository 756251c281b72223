"""What a caller sends to a model with online windows, and how the row that the model takes is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from struct import Struct

from drivetrain.core.model import UNKNOWN, InputField, Signature
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.windows import Event, Value
from drivetrain.ops.rows import coder, seconds_of, seconds_of_day

_MISSING = float("nan")


def asked(signature: Signature) -> Signature:
    """The columns that a caller sends: the inputs that no window computes, then those of the event.

    Of a model without windows it is the signature itself.
    """
    plan = signature.windows
    if plan is None:
        return signature
    computed = set(plan.names)
    known = {field.name: field for field in signature.inputs}
    inputs = [field for field in signature.inputs if field.name not in computed]
    taken = {field.name for field in inputs}
    moment = Column(plan.time, ColumnType.TIMESTAMP, nullable=False)
    for column in (moment, *plan.columns):
        if column.name not in taken:
            inputs.append(_field(column, known.get(column.name)))
    return replace(signature, inputs=tuple(inputs), windows=None)


def value_of(value: object) -> Value:
    """A value of a column as windows take it: text, or a number; moments in seconds since 1970."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return seconds_of(value)
    if isinstance(value, date):
        return seconds_of_day(value)
    assert isinstance(value, bool | int | float)
    return float(value)


class EventPacker:
    """From the values that a caller sends, in the order of ``asked``, to an event, and to the row that is scored."""

    def __init__(self, signature: Signature) -> None:
        plan = signature.windows
        assert plan is not None
        places = {name: at for at, name in enumerate(asked(signature).names)}
        features = {name: at for at, name in enumerate(plan.names)}
        self._moment = places[plan.time]
        self._columns = [places[column.name] for column in plan.columns]
        self._sources = [
            (True, features[field.name]) if field.name in features else (False, places[field.name])
            for field in signature.inputs
        ]
        self._coders = [coder(field) if field.type is ColumnType.TEXT else None for field in signature.inputs]
        self._doubles = Struct(f"={len(signature.inputs)}d").pack

    def event(self, name: str, values: Sequence[object]) -> Event:
        """The event; its moment must be there."""
        seconds = value_of(values[self._moment])
        assert isinstance(seconds, float)
        return Event(name, round(seconds * 1e6), tuple(value_of(values[at]) for at in self._columns))

    def pack(self, values: Sequence[object], features: Sequence[Value]) -> bytes:
        """The row of an event with these ``features``, as float64 [F]."""
        row = []
        for (computed, at), code in zip(self._sources, self._coders, strict=True):
            value = features[at] if computed else value_of(values[at])
            row.append(_MISSING if value is None else value if code is None else code(value))
        return self._doubles(*row)


def _field(column: Column, known: InputField | None) -> InputField:
    """A column of the event as an input; what the model knows of an input of that name is shown to callers."""
    if known is not None and known.type is column.type:
        return replace(known, nullable=column.nullable)
    typical = UNKNOWN if column.type is ColumnType.TEXT else 0.0
    return InputField(column.name, column.type, column.nullable, typical=typical)
