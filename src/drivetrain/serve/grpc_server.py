"""The gRPC form of the Open Inference Protocol, on a port of its own: the tensors, keys, limits and journal of HTTP."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import grpc
import numpy as np

from drivetrain.access.caller import Caller
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.serve.grpc_messages import PACKAGE, SERVICE, message
from drivetrain.serve.inference import metadata, read_tensors, wanted_outputs
from drivetrain.serve.protocol import InferenceRequest, InputTensor, OutputRequest
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request, Scored
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServerSettings

_STATUS: tuple[tuple[type[DrivetrainError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Forbidden, grpc.StatusCode.UNAUTHENTICATED),
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (Transient, grpc.StatusCode.UNAVAILABLE),
)
_EXHAUSTED = ("rate_limited", "quota_exceeded", "overloaded")
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
_RAW = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip

Context = Any  # grpc.aio gives no types
Handle = Callable[[Any, Context], Awaitable[Any]]


class GrpcServer:
    """The server of one worker."""

    def __init__(self, services: Sequence[Service], settings: ServerSettings) -> None:
        self._services = {service.name: service for service in services}
        self._settings = settings
        limit = settings.limits.max_body_bytes
        self._server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_metadata_size", settings.limits.max_header_bytes),
            ),
            maximum_concurrent_rpcs=settings.limits.max_connections,
        )
        handlers: Mapping[str, Handle] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        methods = {name: self._method(name, handle) for name, handle in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", methods),))

    async def listen(self, port: int) -> None:
        """Answer from now on, over TLS where HTTP does. The certificate is read for every handshake."""
        address = f"{self._settings.host}:{port}"
        if self._settings.tls is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, self._credentials())
        await self._server.start()

    async def drain(self, seconds: float) -> None:
        """Take no more calls, answer those that were accepted, and cut who is not done after so many seconds."""
        await self._server.stop(seconds)

    def _credentials(self) -> Any:
        tls = self._settings.tls
        assert tls is not None

        def read() -> Any:
            pair = [(tls.key.read_bytes(), tls.certificate.read_bytes())]
            return grpc.ssl_server_certificate_configuration(pair)

        return grpc.dynamic_ssl_server_credentials(read(), read)

    def _method(self, name: str, handle: Handle) -> Any:
        async def call(request: Any, context: Context) -> Any:
            try:
                return await handle(request, context)
            except DrivetrainError as error:
                await _abort(context, error)

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=message(f"{name}Request").FromString,
            response_serializer=message(f"{name}Response").SerializeToString,
        )

    # --- the calls ---------------------------------------------------------------------------------------------

    async def _live(self, request: Any, context: Context) -> Any:
        return message("ServerLiveResponse")(live=True)

    async def _ready(self, request: Any, context: Context) -> Any:
        return message("ServerReadyResponse")(ready=any(service.lineup for service in self._services.values()))

    async def _model_ready(self, request: Any, context: Context) -> Any:
        return message("ModelReadyResponse")(ready=self._service(request.name, request.version).lineup is not None)

    async def _metadata(self, request: Any, context: Context) -> Any:
        self._caller(next(iter(self._services.values())), context)
        return message("ServerMetadataResponse")(name="drivetrain", version=version("drivetrain"))

    async def _model_metadata(self, request: Any, context: Context) -> Any:
        service = self._service(request.name, request.version)
        self._caller(service, context)
        champion = service.standing().champion.contender
        found = metadata(service.name, champion.form, champion.release.ref.version)
        tensor = message("TensorMetadata")
        inputs, outputs = (
            [tensor(name=each.name, datatype=each.datatype, shape=each.shape) for each in tensors]
            for tensors in (found.inputs, found.outputs)
        )
        return message("ModelMetadataResponse")(
            name=found.name, versions=found.versions, platform=found.platform, inputs=inputs, outputs=outputs
        )

    async def _infer(self, request: Any, context: Context) -> Any:
        began = time.perf_counter()
        service = self._service(request.model_name, request.model_version)
        status = 500
        try:
            asked = _Call(_read(request), raw=bool(request.raw_input_contents))
            remaining = context.time_remaining()
            patience = service.settings.deadline_seconds
            patience = patience if remaining is None else min(patience, remaining)
            service.queue(asked, self._caller(service, context), began + patience)
            scored = await asked.answer
            status = 200
        finally:
            service.counts.answered("grpc ModelInfer", status, time.perf_counter() - began)
        await context.send_initial_metadata((("x-drivetrain-release", scored.release),))
        return _written(service.name, asked, scored)

    def _service(self, name: str, wanted: str) -> Service:
        service = self._services.get(name)
        if service is None:
            raise NotFound(
                "model_unknown", f"there is no model {name[:80]}", hint=f"models: {', '.join(self._services)}"
            )
        if wanted and service.lineup and wanted != service.lineup.champion.contender.release.ref.version:
            raise NotFound("model_unknown", f"version {wanted[:40]} of {name} does not answer", hint="leave it out")
        return service

    def _caller(self, service: Service, context: Context) -> Caller:
        sent = {key.lower(): value for key, value in context.invocation_metadata() or ()}
        caller = service.callers.find(sent.get("authorization"), sent.get("x-api-key"))
        caller.admit()
        return caller


class _Call(Request):
    """The rows of one call; ``answer`` is there once they are scored."""

    def __init__(self, request: InferenceRequest, *, raw: bool) -> None:
        self.request = request
        self.raw = raw
        wanted_outputs(request)  # one that does not exist is refused before anything is scored
        self.answer: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()

    def read(self, form: RowForm) -> Rows:
        return read_tensors(self.request, form)

    def tell(self, result: Scored | Exception) -> None:
        if self.answer.done():  # the caller has gone
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


def _read(request: Any) -> InferenceRequest:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidInput(
            "tensor_shape",
            f"{len(raw)} raw contents for {len(request.inputs)} inputs",
            where="raw_input_contents",
            hint="send one for each input, or none at all",
        )
    inputs = [_tensor(tensor, raw[at] if raw else None) for at, tensor in enumerate(request.inputs)]
    if not inputs:
        raise InvalidInput("rows_missing", "there is no input", where="inputs", hint="send a tensor for each input")
    outputs = [OutputRequest(output.name) for output in request.outputs] or None
    return InferenceRequest(inputs, request.id or None, None, outputs)


def _tensor(tensor: Any, raw: bytes | None) -> InputTensor:
    where = f"inputs[{tensor.name[:80]}]"
    shape = list(tensor.shape)
    if any(size < 0 for size in shape):
        raise InvalidInput("tensor_shape", f"shape {shape[:4]} has a negative size", where=where, hint="send sizes")
    if tensor.datatype not in _CONTENTS and not (raw is not None and tensor.datatype in _RAW):
        raise InvalidInput(
            "tensor_type",
            f"{tensor.datatype[:20]} is not known",
            where=where,
            hint=f"send one of {', '.join(_CONTENTS)}",
        )
    values = (
        list(getattr(tensor.contents, _CONTENTS[tensor.datatype])) if raw is None else _unpacked(tensor, raw, where)
    )
    if tensor.datatype == "BYTES":
        values = [_text(value, where) for value in values]
    return InputTensor(tensor.name, shape, tensor.datatype, [_given(value) for value in values])


def _given(value: object) -> object:
    """A value; None for NaN, which stands for a missing one here."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _unpacked(tensor: Any, raw: bytes, where: str) -> list[Any]:
    """Values in the protocol's binary form: little-endian numbers; texts with their length (uint32) before each."""
    if tensor.datatype != "BYTES":
        kind = np.dtype(_RAW[tensor.datatype])
        if len(raw) % kind.itemsize:
            raise _cut_off(where)
        return list(np.frombuffer(raw, kind).tolist())
    values, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + size > len(raw):
            raise _cut_off(where)
        values.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return values


def _text(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput("field_type", "expected text in UTF-8", where=where, hint="encode it as UTF-8") from None


def _cut_off(where: str) -> InvalidInput:
    return InvalidInput("tensor_shape", "the raw contents end in the middle of a value", where=where, hint="send all")


def _written(service: str, call: _Call, scored: Scored) -> Any:
    """The answer; in the binary form when the request was, as clients expect that read nothing else."""
    tensor, contents = message("InferOutputTensor"), message("InferTensorContents")
    ids = [name.encode() for name in scored.ids]
    filled = {
        "score": ("FP64", contents(fp64_contents=scored.scores), np.array(scored.scores, "<f8").tobytes()),
        "decision": ("BOOL", contents(bool_contents=scored.decisions), np.array(scored.decisions, "?").tobytes()),
        "prediction_id": (
            "BYTES",
            contents(bytes_contents=ids),
            b"".join(len(name).to_bytes(4, "little") + name for name in ids),
        ),
    }
    names = [*(output.name for output in wanted_outputs(call.request)), "prediction_id"]
    shape = [len(ids)]
    outputs = [
        tensor(name=name, datatype=filled[name][0], shape=shape, contents=None if call.raw else filled[name][1])
        for name in names
    ]
    return message("ModelInferResponse")(
        model_name=service,
        model_version=scored.release.rpartition("@")[2],
        id=call.request.id or "",
        outputs=outputs,
        raw_output_contents=[filled[name][2] for name in names] if call.raw else [],
    )


async def _abort(context: Context, error: DrivetrainError) -> None:
    code = next((code for family, code in _STATUS if isinstance(error, family)), grpc.StatusCode.INTERNAL)
    if error.code in _EXHAUSTED:
        code = grpc.StatusCode.RESOURCE_EXHAUSTED
    if error.code == "deadline_passed":
        code = grpc.StatusCode.DEADLINE_EXCEEDED
    trailing = [("x-drivetrain-code", error.code)]
    if isinstance(error, Transient):
        trailing.append(("retry-after", str(getattr(error, "seconds", 1))))
    await context.abort(code, str(error), tuple(trailing))
