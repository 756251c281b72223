"""Tensors in protobuf messages: as lists of their type, or packed as bytes, which is what most clients send.

Missing values are NaN, or the whole tensor is left out. The answer is packed when the request was.
"""

from __future__ import annotations

from google.protobuf.message import Message

from drivetrain.core.errors import InvalidInput
from drivetrain.serve.grpc_messages import message
from drivetrain.serve.inference import wanted_outputs
from drivetrain.serve.packed_tensors import KINDS, as_bytes, known, pack, text_of, unpack
from drivetrain.serve.protocol import InferenceRequest, InputTensor, OutputRequest, TensorMetadata
from drivetrain.serve.wording import Scored

_LISTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def read_inference(asked: Message) -> InferenceRequest:
    """The same request as it would have come in JSON. Raises InvalidInput."""
    packed = asked.raw_input_contents
    if packed and len(packed) != len(asked.inputs):
        raise InvalidInput(
            "tensor_shape",
            f"{len(packed)} raw contents for {len(asked.inputs)} inputs",
            where="raw_input_contents",
            hint="send one for each input, or none at all",
        )
    if not asked.inputs:
        raise InvalidInput("rows_missing", "there is no input", where="inputs", hint="send a tensor for each input")
    inputs = [_tensor(tensor, packed[at] if packed else None) for at, tensor in enumerate(asked.inputs)]
    outputs = [OutputRequest(output.name) for output in asked.outputs]
    return InferenceRequest(inputs, asked.id or None, None, outputs or None)


def written_answer(service: str, request: InferenceRequest, scored: Scored, *, packed: bool) -> Message:
    """The answer to a request whose rows were scored. The ids of the predictions are one more output."""
    tensor, lists = message("InferOutputTensor"), message("InferTensorContents")
    wanted = [*wanted_outputs(request, scored), (TensorMetadata("prediction_id", "BYTES", [-1]), scored.ids)]
    outputs, contents = [], []
    for output, values in wanted:
        kind = output.datatype
        made = tensor(name=output.name, datatype=kind, shape=[len(scored.ids)])
        if packed:
            contents.append(pack(kind, values))
        else:
            made.contents.CopyFrom(lists(**{_LISTS[kind]: as_bytes(values) if kind == "BYTES" else values}))
        outputs.append(made)
    return message("ModelInferResponse")(
        model_name=service,
        model_version=scored.release.rpartition("@")[2],
        id=request.id or "",
        outputs=outputs,
        raw_output_contents=contents,
    )


def _tensor(tensor: Message, packed: bytes | None) -> InputTensor:
    where, shape, kind = f"inputs[{tensor.name[:80]}]", list(tensor.shape), tensor.datatype
    if any(size < 0 for size in shape):
        raise InvalidInput("tensor_shape", f"shape {shape[:4]} has a negative size", where=where, hint="send sizes")
    kinds = tuple(_LISTS) if packed is None else KINDS
    if kind not in kinds:
        raise InvalidInput(
            "tensor_type", f"{kind[:20]!r} is not known", where=where, hint=f"send one of {', '.join(kinds)}"
        )
    if packed is not None:
        return InputTensor(tensor.name, shape, kind, unpack(kind, packed, where))
    values = list(getattr(tensor.contents, _LISTS[kind]))
    values = [text_of(value, where) for value in values] if kind == "BYTES" else known(values)
    return InputTensor(tensor.name, shape, kind, values)
