"""Calls by hand to a gRPC server: whatever a client could send, and one that no client would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from drivetrain.serve.grpc_messages import PACKAGE, SERVICE, message


class GrpcCaller:
    """Somebody with a key at one address, on a connection of their own."""

    def __init__(self, address: str, key: str) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.key = key

    def call(self, call: str, content: bytes, *, timeout: float = 10, key: str | None = None) -> tuple[Any, Any]:
        """The answer to a call, and the call."""
        read = message(f"{call}Response").FromString
        method = self.channel.unary_unary(f"/{PACKAGE}.{SERVICE}/{call}", response_deserializer=read)
        metadata = (("x-api-key", self.key if key is None else key),)
        answer, ended = method.with_call(content, timeout=timeout, metadata=metadata)
        return answer, ended

    def ask(self, call: str, *, timeout: float = 10, key: str | None = None, **said: Any) -> Any:
        """The answer to a call whose message has these fields; raises ``grpc.RpcError``."""
        content = message(f"{call}Request")(**said).SerializeToString()
        return self.call(call, content, timeout=timeout, key=key)[0]

    def infer(
        self, *tensors: Any, model: str = "loans", timeout: float = 10, key: str | None = None, **more: Any
    ) -> Any:
        """The answer of a model."""
        return self.ask("ModelInfer", timeout=timeout, key=key, model_name=model, inputs=tensors, **more)

    def infer_later(self, *tensors: Any, timeout: float = 10) -> Any:
        """The same as a future, which can be cancelled."""
        content = message("ModelInferRequest")(model_name="loans", inputs=tensors).SerializeToString()
        read = message("ModelInferResponse").FromString
        method = self.channel.unary_unary(f"/{PACKAGE}.{SERVICE}/ModelInfer", response_deserializer=read)
        return method.future(content, timeout=timeout, metadata=(("x-api-key", self.key),))

    def close(self) -> None:
        self.channel.close()


def listed(name: str, kind: str, shape: list[int] | None = None, **contents: list[Any]) -> Any:
    """One input with its values as a list of their type."""
    made = message("InferInputTensor")(name=name, datatype=kind)
    values = next(iter(contents.values()), [])
    made.shape.extend([len(values)] if shape is None else shape)
    made.contents.CopyFrom(message("InferTensorContents")(**contents))
    return made


AGE = listed("age", "INT64", int64_contents=[25])


def output(answer: Any, name: str, contents: str) -> list[Any]:
    """The values of an output that came as a list."""
    (found,) = [one for one in answer.outputs if one.name == name]
    return list(getattr(found.contents, contents))


def scores(answer: Any) -> list[float]:
    return output(answer, "score", "fp64_contents")


def refusal(call: Callable[[], Any]) -> tuple[str, str, dict[str, str]]:
    """The code, the text and the trailing metadata of a call that is refused."""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return ended(refused.value)


def ended(error: Any) -> tuple[str, str, dict[str, str]]:
    """How a call ended."""
    return error.code().name, error.details(), dict(error.trailing_metadata() or ())
