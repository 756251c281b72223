"""The words of the Open Inference Protocol, version 2 (REST): https://github.com/kserve/open-inference-protocol."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec


class TensorMetadata(msgspec.Struct, frozen=True):
    """A tensor that a model takes or gives; -1 is the number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct, frozen=True):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(msgspec.Struct, frozen=True):
    """Who is speaking."""

    name: str
    version: str
    extensions: list[str]


class Ready(msgspec.Struct, frozen=True):
    """The model answers."""

    name: str
    ready: bool


class InputTensor(msgspec.Struct, frozen=True):
    """The values of one input, row by row."""

    name: str
    shape: list[Annotated[int, msgspec.Meta(ge=0)]]
    datatype: str
    data: list[Any] = []
    parameters: dict[str, Any] | None = None


class OutputRequest(msgspec.Struct, frozen=True):
    """An output that the caller wants."""

    name: str
    parameters: dict[str, Any] | None = None


class InferenceRequest(msgspec.Struct, frozen=True):
    """The body of an inference."""

    inputs: Annotated[list[InputTensor], msgspec.Meta(min_length=1)]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[OutputRequest] | None = None


class OutputTensor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The values of one output, row by row; behind the JSON when ``parameters`` say how many bytes they have."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, int] | msgspec.UnsetType = msgspec.UNSET


class AnswerParameters(msgspec.Struct, frozen=True):
    """The release that answered, and the id of each row's prediction."""

    release: str
    prediction_ids: list[str]


class InferenceAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of the answer to an inference."""

    model_name: str
    model_version: str
    parameters: AnswerParameters
    outputs: list[OutputTensor]
    id: str | None = None
