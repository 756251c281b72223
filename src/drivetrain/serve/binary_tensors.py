"""Tensors behind the JSON instead of in it: an extension of the Open Inference Protocol (REST) that many clients use.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import InvalidInput
from drivetrain.serve.packed_tensors import KINDS, pack, unpack
from drivetrain.serve.protocol import InferenceAnswer, InferenceRequest, InputTensor, OutputTensor

EXTENSION = "binary_tensor_data"
LENGTH = "inference-header-content-length"
BINARY = "application/octet-stream"


def json_bytes(exchange: Exchange) -> int:
    """How much of the body is JSON: all of it, unless a header says less. Raises InvalidInput."""
    said, size = exchange.head.headers.get(LENGTH), len(exchange.body)
    if said is None:
        return size
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) <= size):
        raise InvalidInput(
            "tensor_shape",
            f"{LENGTH} is {said[:20]!r}",
            where=LENGTH,
            hint=f"the body has {size} bytes: send how many are JSON",
        )
    return int(said)


def filled(request: InferenceRequest, behind: bytes) -> InferenceRequest:
    """The same request with the tensors in it that stand behind its JSON. Raises InvalidInput."""
    at, inputs = 0, []
    for tensor in request.inputs:
        size = _size(tensor)
        inputs.append(tensor if size is None else _filled(tensor, behind[at : at + size], size))
        at += size or 0
    if at != len(behind):
        raise InvalidInput(
            "tensor_shape",
            f"{len(behind)} bytes stand behind the JSON, not {at}",
            where="body",
            hint="see binary_data_size",
        )
    return replace(request, inputs=inputs)


def binary_outputs(request: InferenceRequest) -> frozenset[str] | None:
    """The outputs that are wanted behind the JSON; None stands for all."""
    if not request.outputs:
        return None if (request.parameters or {}).get("binary_data_output") is True else frozenset()
    return frozenset(out.name for out in request.outputs if (out.parameters or {}).get("binary_data") is True)


def packed(answer: Answer, inferred: InferenceAnswer, names: frozenset[str] | None) -> Answer:
    """An answer with some of its outputs behind its JSON."""
    behind: list[bytes] = []
    outputs = [_packed(out, behind) if names is None or out.name in names else out for out in inferred.outputs]
    head = msgspec.json.encode(replace(inferred, outputs=outputs))
    headers = [(name, value) for name, value in answer.headers if name != "content-type"]
    headers += [("content-type", BINARY), (LENGTH, str(len(head)))]
    return Answer(200, tuple(headers), b"".join([head, *behind]))


def _packed(output: OutputTensor, behind: list[bytes]) -> OutputTensor:
    assert not isinstance(output.data, msgspec.UnsetType)
    behind.append(pack(output.datatype, output.data))
    return replace(output, data=msgspec.UNSET, parameters={"binary_data_size": len(behind[-1])})


def _size(tensor: InputTensor) -> int | None:
    size: Any = (tensor.parameters or {}).get("binary_data_size")
    if size is None or (isinstance(size, int) and size >= 0):
        return size
    raise _wrong(tensor, f"binary_data_size is {size!r:.20}")


def _filled(tensor: InputTensor, content: bytes, size: int) -> InputTensor:
    if len(content) != size or tensor.data or tensor.datatype not in KINDS:
        raise _wrong(tensor, f"there are {len(content)} bytes of {size} for {tensor.datatype[:20]!r}")
    return replace(tensor, data=unpack(tensor.datatype, content, f"inputs[{tensor.name[:80]}]"))


def _wrong(tensor: InputTensor, why: str) -> InvalidInput:
    return InvalidInput(
        "tensor_shape", why, where=f"inputs[{tensor.name[:80]}]", hint="send its data once, and all of it"
    )
