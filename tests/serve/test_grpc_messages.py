"""The messages are those of the protocol: what a client writes that was generated from it is read here."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from drivetrain.serve.grpc_messages import PACKAGE, SERVICE, message

NAMES = [
    f"{call}{kind}"
    for call in ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
    for kind in ("Request", "Response")
]
INPUT, OUTPUT = "ModelInferRequest.InferInputTensor", "ModelInferResponse.InferOutputTensor"
PEERS = {
    **{name: name for name in NAMES},
    "TensorMetadata": "ModelMetadataResponse.TensorMetadata",
    "InferTensorContents": "InferTensorContents",
    "InferInputTensor": INPUT,
    "InferOutputTensor": OUTPUT,
    "InferRequestedOutputTensor": "ModelInferRequest.InferRequestedOutputTensor",
}


def peer(name: str) -> Any:
    """The class that Triton's client has for a message of ours."""
    found: Any = service_pb2
    for part in PEERS[name].split("."):
        found = getattr(found, part)
    return found


def fields(kind: Any) -> dict[int, tuple[str, int, bool]]:
    return {field.number: (field.name, field.type, field.is_repeated) for field in kind.DESCRIPTOR.fields}


def test_the_calls_have_the_names_that_clients_use() -> None:
    (service,) = service_pb2.DESCRIPTOR.services_by_name.values()
    assert (service_pb2.DESCRIPTOR.package, service.name) == (PACKAGE, SERVICE)
    assert {name.removesuffix("Request") for name in NAMES if name.endswith("Request")} <= {
        method.name for method in service.methods
    }


@pytest.mark.parametrize("name", PEERS)
def test_every_field_has_the_number_and_the_type_that_clients_use(name: str) -> None:
    ours, theirs = fields(message(name)), fields(peer(name))
    assert bool(ours) == bool(theirs)
    assert ours == {number: theirs[number] for number in ours}


WHOLE = st.integers(-(2**31), 2**31 - 1)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "bool_contents": st.lists(st.booleans(), max_size=4),
        "int_contents": st.lists(WHOLE, max_size=4),
        "int64_contents": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
        "uint_contents": st.lists(st.integers(0, 2**32 - 1), max_size=4),
        "uint64_contents": st.lists(st.integers(0, 2**64 - 1), max_size=4),
        "fp32_contents": st.lists(st.floats(width=32), max_size=4),
        "fp64_contents": st.lists(st.floats(), max_size=4),
        "bytes_contents": st.lists(st.binary(max_size=8), max_size=4),
    },
)
TENSORS = st.lists(st.tuples(st.text(max_size=8), st.lists(WHOLE, max_size=3), CONTENTS), max_size=3)


@given(st.text(max_size=8), TENSORS, st.lists(st.binary(max_size=8), max_size=3))
def test_a_request_of_a_generated_client_is_read_as_it_was_written(
    name: str, tensors: list[tuple[str, list[int], dict[str, Any]]], raw: list[bytes]
) -> None:
    sent = service_pb2.ModelInferRequest(model_name=name, id="q", raw_input_contents=raw)
    for tensor, shape, contents in tensors:
        made = sent.inputs.add(name=tensor, datatype="FP64", shape=shape)
        made.contents.CopyFrom(service_pb2.InferTensorContents(**contents))
    read = message("ModelInferRequest").FromString(sent.SerializeToString())
    assert json_format.MessageToDict(read) == json_format.MessageToDict(sent)
    assert service_pb2.ModelInferRequest.FromString(read.SerializeToString()) == sent or _has_nan(tensors)


def test_what_is_not_read_here_is_no_error() -> None:
    sent = service_pb2.ModelInferRequest(model_name="loans")
    sent.parameters["priority"].int64_param = 1
    sent.inputs.add(name="age").parameters["shared_memory_region"].string_param = "x"
    read = message("ModelInferRequest").FromString(sent.SerializeToString())
    assert (read.model_name, read.inputs[0].name) == ("loans", "age")


def _has_nan(tensors: list[tuple[str, list[int], dict[str, Any]]]) -> bool:
    return any(value != value for _, _, each in tensors for values in each.values() for value in values)  # noqa: PLR0124 - only NaN is not itself
