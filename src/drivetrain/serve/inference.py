"""Open Inference Protocol: one tensor for each input, by name, or all inputs of a row packed into one.

A request brings a tensor [n] or [n, 1] for each input, or ``row``, FP64 [n, F] in the order of the metadata, packed as
``core.model.InputField`` says. JSON has no NaN: a missing value is null, or the whole tensor is left out. Text, dates
and timestamps are BYTES. The entity may come along as a tensor under its own name.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType
from drivetrain.serve.beside import failure
from drivetrain.serve.binary_tensors import binary_outputs, filled, json_bytes, packed
from drivetrain.serve.complaints import parsed
from drivetrain.serve.contender import Contender
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.packed_tensors import Value as PackedValue
from drivetrain.serve.predict import headers_of
from drivetrain.serve.protocol import (
    AnswerParameters,
    InferenceAnswer,
    InferenceRequest,
    InputTensor,
    ModelMetadata,
    OutputTensor,
    TensorMetadata,
)
from drivetrain.serve.rows import Matrix, RowForm, Rows, entity_bytes
from drivetrain.serve.scoring import Request
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Scored

ROW = "row"
_INTEGERS = ("INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8")
_FLOATS = ("FP64", "FP32", "FP16")
_ACCEPTED: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.INTEGER: (*_INTEGERS, *_FLOATS),
    ColumnType.NUMBER: (*_FLOATS, *_INTEGERS),
    ColumnType.BOOLEAN: ("BOOL",),
    ColumnType.TEXT: ("BYTES",),
    ColumnType.DATE: ("BYTES",),
    ColumnType.TIMESTAMP: ("BYTES",),
}
"""What a tensor may hold, by the type of the input; the first is what the metadata says."""

_OUTPUTS = (TensorMetadata("score", "FP64", [-1]), TensorMetadata("decision", "BOOL", [-1]))
_OF_TYPE = {ColumnType.TEXT: "BYTES", ColumnType.NUMBER: "FP64"}
_ENTITIES = (*_INTEGERS, "BYTES")


class Inference:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._decoder = msgspec.json.Decoder(InferenceRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Queue the rows of the tensors; they are recorded before the answer. Raises what refuses them."""
        body, end = exchange.body, json_bytes(exchange)
        check_nesting(body[:end], self._service.settings.max_nesting)
        request = parsed(self._decoder.decode, body[:end], ("inputs", "outputs", "id", "parameters"))
        request = filled(request, body[end:])
        self._service.submit(exchange, _Tensors(self._service.name, exchange, request))


class _Tensors(Request):
    """Rows in tensors, as JSON."""

    def __init__(self, service: str, exchange: Exchange, request: InferenceRequest) -> None:
        self._service = service
        self._exchange = exchange
        self._request = request

    def read(self, form: RowForm) -> Rows:
        return read_tensors(self._request, form)

    def tell(self, result: Scored | Exception) -> None:
        if isinstance(result, Scored):
            answer = inferred(self._service, self._request, result)
            told = Answer(200, headers_of(result.release), msgspec.json.encode(answer))
            names = binary_outputs(self._request)
            self._exchange.answer(told if names == frozenset() else packed(told, answer, names))
        else:
            self._exchange.answer(failure(result, inference=True))


def metadata(service: str, champion: Contender) -> ModelMetadata:
    """What the model takes and gives, one tensor for each input."""
    inputs = [TensorMetadata(field.name, _ACCEPTED[field.type][0], [-1]) for field in champion.form.asked]
    platform = "drivetrain_python" if champion.processes else "drivetrain_onnx"
    return ModelMetadata(
        service, [champion.release.ref.version], platform, inputs, _outputs_of(champion.release.signature)
    )


def read_tensors(request: InferenceRequest, form: RowForm) -> Rows:
    """The rows in the tensors of a request; raises InvalidInput that names the tensor and the place.

    One that asks for an output that this release does not give is refused too.
    """
    form.check_columns()
    _check_outputs(request, form)
    tensors = _by_name(request, form)
    count = _rows(request.inputs[0])
    whole = _is_packed(tensors, form)
    matrix = _packed_row(tensors[ROW], count, form) if whole else _columns(tensors, count, form)
    return Rows(matrix.tobytes(), _entities(tensors, count, form), False)


def inferred(service: str, request: InferenceRequest, scored: Scored) -> InferenceAnswer:
    """The answer to a request whose rows were scored."""
    outputs = [
        OutputTensor(out.name, [len(scored.ids)], out.datatype, list(values))
        for out, values in wanted_outputs(request, scored)
    ]
    version = scored.release.rpartition("@")[2]
    return InferenceAnswer(service, version, AnswerParameters(scored.release, scored.ids), outputs, request.id)


def _outputs_of(signature: Signature) -> list[TensorMetadata]:
    return [*_OUTPUTS, *(TensorMetadata(field.name, _OF_TYPE[field.type], [-1]) for field in signature.outputs)]


def _check_outputs(request: InferenceRequest, form: RowForm) -> None:
    known = {output.name: output for output in _outputs_of(form.signature)}
    for output in request.outputs or ():
        if output.name not in known:
            raise _unknown("output", output.name, known, "outputs")


def wanted_outputs(request: InferenceRequest, scored: Scored) -> list[tuple[TensorMetadata, Sequence[PackedValue]]]:
    """The outputs that a request asks for, all of them when it names none, with what was said of its rows."""
    values = (scored.scores, scored.decisions, *scored.columns())
    given = _outputs_of(scored.wording.saying.signature)
    found = {output.name: (output, told) for output, told in zip(given, values, strict=True)}
    return [found[output.name] for output in request.outputs] if request.outputs else list(found.values())


def _by_name(request: InferenceRequest, form: RowForm) -> dict[str, InputTensor]:
    names = form.names
    known = (*names, *([form.entity] if form.entity else []), *([] if ROW in names else [ROW]))
    tensors: dict[str, InputTensor] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            raise InvalidInput("tensor_twice", f"{tensor.name} is given twice", where="inputs", hint="send it once")
        if tensor.name not in known:
            raise _unknown("input", tensor.name, known, "inputs")
        tensors[tensor.name] = tensor
    return tensors


def _is_packed(tensors: Mapping[str, InputTensor], form: RowForm) -> bool:
    if ROW not in tensors or ROW in form.names:
        return False
    if others := [name for name in tensors if name not in (ROW, form.entity)]:
        raise InvalidInput(
            "tensor_twice",
            f"{ROW} holds all inputs, yet there is {examples(others)} too",
            where="inputs",
            hint=f"send {ROW} alone, or a tensor for each input",
        )
    return True


def _packed_row(tensor: InputTensor, rows: int, form: RowForm) -> Matrix:
    return form.matrix(_flat(tensor, [rows, len(form.signature.inputs)], _FLOATS), f"inputs[{ROW}].data")


def _columns(tensors: Mapping[str, InputTensor], rows: int, form: RowForm) -> Matrix:
    matrix = np.full((rows, len(form.signature.inputs)), np.nan)
    for at, field in enumerate(form.asked):
        where = f"inputs[{field.name}]"
        if field.name in tensors:
            flat = _flat(tensors[field.name], [rows], _ACCEPTED[field.type])
            matrix[:, form.signature.place(field)] = form.column(at, flat, f"{where}.data").reshape(rows, -1)
        elif field.name in form.encoders:
            matrix[:, form.signature.place(field)] = form.column(at, [None] * rows, where)
        elif not field.nullable:
            raise InvalidInput(
                "field_missing", f"{field.name} is missing", where=where, hint="it may not be null: give a value"
            )
    return matrix


def _entities(tensors: Mapping[str, InputTensor], rows: int, form: RowForm) -> list[bytes]:
    name = form.entity
    if name is None or name not in tensors:
        return [b""] * rows
    where = f"inputs[{name}].data"
    return [
        b"" if value is None else entity_bytes(value, f"{where}[{at}]")
        for at, value in enumerate(_flat(tensors[name], [rows], _ENTITIES))
    ]


def _rows(tensor: InputTensor) -> int:
    if not tensor.shape or not tensor.shape[0]:
        raise InvalidInput(
            "rows_missing", "there is no row to predict", where=f"inputs[{tensor.name}].shape", hint="send at least one"
        )
    rows = tensor.shape[0]
    if rows > len(tensor.data) and rows > (given := len(_values(tensor))):  # before there is room made for them
        raise _misshapen(tensor, given, [rows])
    return rows


def _flat(tensor: InputTensor, shape: list[int], accepted: tuple[str, ...]) -> list[Any]:
    """The values of a tensor in one list, which the protocol allows them to be or not to be. Raises InvalidInput."""
    where = f"inputs[{tensor.name}]"
    if tensor.datatype not in accepted:
        raise InvalidInput(
            "tensor_type", f"{tensor.datatype[:20]} does not fit", where=where, hint=f"send {' or '.join(accepted[:2])}"
        )
    flat = _values(tensor)
    if tensor.shape not in (shape, [*shape, 1]) or len(flat) != math.prod(shape):
        raise _misshapen(tensor, len(flat), shape)
    return flat


def _values(tensor: InputTensor) -> list[Any]:
    return [value for part in tensor.data for value in (part if isinstance(part, list) else (part,))]


def _misshapen(tensor: InputTensor, given: int, wanted: list[int]) -> InvalidInput:
    return InvalidInput(
        "tensor_shape",
        f"shape {tensor.shape[:4]} with {given} values does not fit",
        where=f"inputs[{tensor.name}]",
        hint=f"send shape {wanted} and a value for each place",
    )


def _unknown(what: str, name: str, known: Mapping[str, object] | tuple[str, ...], where: str) -> InvalidInput:
    near = difflib.get_close_matches(name[:80], known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"{what}s: {examples(known, 30)}"
    return InvalidInput(f"{what}_unknown", f"there is no {what} {name[:80]}", where=where, hint=hint)
