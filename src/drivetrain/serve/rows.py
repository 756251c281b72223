"""Rows as callers send them: typed by the model's signature, packed as ``ops.packing.pack`` packs a table.

A row is a JSON object with one key per input. An input that may be null may also be left out. The column of the
entity may be sent along, under its own name, and is recorded with the prediction. An integer may be written ``45.0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import GenericAlias
from typing import Any, NamedTuple, Protocol, cast

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.rows import RowPacker, annotation, coder, row_type
from drivetrain.ops.text import NO_ENCODERS, Encoders
from drivetrain.serve.complaints import complaint, parsed
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.possible import Possible
from drivetrain.store.segments import ENTITY_BYTES

Matrix = NDArray[np.float64]


class PredictRequest(Protocol):
    """The body of a request, in a type that is made for each model."""

    rows: list[msgspec.Struct]
    explain: bool


class Rows(NamedTuple):
    """Rows ready to score: packed float64 [n, F] as bytes, the entity of each (empty for none), whether to explain.

    ``whose`` names who all of them are about, where they are choices that are put before one customer.
    """

    packed: bytes
    entities: list[bytes]
    explain: bool
    whose: bytes = b""

    def cut(self, start: int, end: int) -> Rows:
        """Some of them."""
        size = len(self.packed) // len(self.entities)
        return Rows(self.packed[start * size : end * size], self.entities[start:end], self.explain)


class RowForm:
    """How the rows of one model are written, read and packed."""

    def __init__(self, signature: Signature, encoders: Encoders = NO_ENCODERS) -> None:
        self.signature = signature
        self.encoders = encoders
        self.asked = signature.asked
        self.names = tuple(field.name for field in self.asked)
        self.entity = signature.entity if signature.entity not in self.names else None
        strict, lenient = (row_type(signature, self.entity, lenient=lenient) for lenient in (False, True))
        self.request_type = _request_type(strict)
        self._strict = _decoder(self.request_type)
        self._lenient = _decoder(_request_type(lenient))
        self._strict_row, self._lenient_row = msgspec.json.Decoder(strict), msgspec.json.Decoder(lenient)
        self._lists = [GenericAlias(list, (annotation(field, lenient=True),)) for field in self.asked]
        self._coders = [coder(field) for field in self.asked]
        self._integers = [at for at, field in enumerate(self.asked) if field.type is ColumnType.INTEGER]
        self.possible = Possible(signature)
        self._pack_all = RowPacker(signature, encoders).pack_all
        self.columns = (*self.names, *([self.entity] if self.entity else []))
        self._known = (*self.columns, "rows", "explain")

    def read(self, body: bytes) -> Rows:
        """The rows in the body of a request; raises InvalidInput that names the row and the field."""
        try:
            request = self._strict.decode(body)
            return self._packed(request.rows, request.explain)
        except msgspec.ValidationError:  # perhaps only an integer written as 45.0, as pandas does
            request = parsed(self._lenient.decode, body, self._known)
            rows = self._packed(request.rows, request.explain)
            self._check_integers(rows)
            return rows
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            request = parsed(self._strict.decode, body, self._known)
            return self._packed(request.rows, request.explain)

    def read_lines(self, lines: Sequence[bytes], nesting: int) -> Rows:
        """The rows in lines, a JSON object each; raises InvalidInput that names the row and the field.

        ``nesting`` is how deep lists and objects may lie inside each other in what is no row.
        """
        decode = self._strict_row.decode
        rows: list[msgspec.Struct] = []
        for line in lines:
            try:
                rows.append(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                rows.append(self._lenient_line(line, f"rows[{len(rows)}]", nesting))
        return self._packed(rows, False)

    def _lenient_line(self, line: bytes, where: str, nesting: int) -> msgspec.Struct:
        try:
            row = parsed(self._lenient_row.decode, line, self._known, where)
        except InvalidInput:
            check_nesting(line, nesting, where)
            raise
        values = astuple(row)
        for at in self._integers:
            if values[at] is not None and values[at] % 1:
                raise _not_an_integer(values[at], f"{where}.{self.signature.inputs[at].name}")
        return row

    def check_columns(self) -> None:
        """Raise InvalidInput when this model takes no rows as columns or tensors."""

    def column(self, at: int, values: Sequence[object], where: str) -> Matrix:
        """The values of what is asked for at ``at``, packed [n], of a free text [n, W].

        Raises InvalidInput that names the place in ``where``.
        """
        try:
            typed: list[Any] = msgspec.convert(values, self._lists[at])
        except msgspec.ValidationError as error:
            raise complaint(error, (), where) from None
        if self.names[at] in self.encoders:
            return self.encoders[self.names[at]].encode(typed)
        code = self._coders[at]
        if code is not None:
            typed = [None if value is None else code(value) for value in typed]
        packed = np.array(typed, dtype=np.float64)
        if at in self._integers and len(wrong := np.flatnonzero(packed % 1 > 0)):
            raise _not_an_integer(packed[wrong[0]], f"{where}[{wrong[0]}]")
        return packed

    def matrix(self, values: Sequence[object], where: str) -> Matrix:
        """Values that are packed already, row after row, as [n, F]; raises InvalidInput that names the place."""
        try:
            packed = np.array(msgspec.convert(values, list[float | None]), dtype=np.float64)
        except msgspec.ValidationError as error:
            raise complaint(error, (), where) from None
        width = len(self.signature.inputs)
        rows = packed.reshape(-1, width)
        if wrong := self.possible.first_wrong(rows):
            row, at = wrong
            raise InvalidInput(
                "field_range",
                f"{self.signature.inputs[at].name} cannot be packed as {rows[row, at]}",
                where=f"{where}[{row * width + at}]",
                hint="see how values are packed in core.model.InputField, or send a tensor for each input",
            )
        return rows

    def _packed(self, rows: Sequence[msgspec.Struct], explain: bool) -> Rows:
        if not rows:
            raise InvalidInput("rows_missing", "there is no row to predict", where="rows", hint="send at least one")
        packed: list[tuple[Any, ...]] = []
        entities: list[bytes] = []
        for at, row in enumerate(rows):
            values, entity = astuple(row), None
            if self.entity is not None:
                values, entity = values[:-1], values[-1]
            packed.append(values)
            entities.append(b"" if entity is None else entity_bytes(entity, f"rows[{at}].{self.entity}"))
        return Rows(self._pack_all(packed), entities, explain)

    def _check_integers(self, rows: Rows) -> None:
        packed = np.frombuffer(rows.packed).reshape(-1, len(self.signature.inputs))
        for at in self._integers:
            for wrong in np.flatnonzero(packed[:, at] % 1 > 0):
                raise _not_an_integer(packed[wrong, at], f"rows[{wrong}].{self.signature.inputs[at].name}")


def entity_bytes(value: str | int, where: str) -> bytes:
    """An entity as it is recorded; raises InvalidInput when it is empty or too long."""
    content = str(value).encode()
    if not 0 < len(content) <= ENTITY_BYTES or b"\0" in content:
        raise InvalidInput(
            "entity_invalid",
            f"an entity is text of 1 to {ENTITY_BYTES} bytes or an integer",
            where=where,
            hint="leave it out, or send the key of your own record",
        )
    return content


def _decoder(request: type[msgspec.Struct]) -> msgspec.json.Decoder[PredictRequest]:
    return cast("msgspec.json.Decoder[PredictRequest]", msgspec.json.Decoder(request))


def _request_type(row: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields: list[Any] = [("rows", GenericAlias(list, (row,))), ("explain", bool, False)]
    return msgspec.defstruct("PredictRequest", fields, forbid_unknown_fields=True)


def _not_an_integer(value: float, where: str) -> InvalidInput:
    return InvalidInput("field_type", f"expected an integer, got {value}", where=where, hint="round it")
