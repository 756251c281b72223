"""The gRPC form of the Open Inference Protocol, on a port of its own: the tensors, keys, limits and journal of HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from drivetrain.access.caller import Caller
from drivetrain.connect.http.listening import authority
from drivetrain.connect.http.settings import ConnectionLimits
from drivetrain.connect.http.tls import Certificate
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient, examples
from drivetrain.serve.answers import retry_after, status
from drivetrain.serve.door import DEFECT
from drivetrain.serve.grpc_messages import PACKAGE, SERVICE, message
from drivetrain.serve.grpc_tensors import read_inference, written_answer
from drivetrain.serve.inference import metadata, read_tensors
from drivetrain.serve.mishaps import MISHAPS
from drivetrain.serve.protocol import InferenceRequest
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServerSettings
from drivetrain.serve.wording import Scored

_BY_CODE = {
    "key_missing": grpc.StatusCode.UNAUTHENTICATED,
    "key_unknown": grpc.StatusCode.UNAUTHENTICATED,
    "rate_limited": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "quota_exceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "overloaded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "deadline_passed": grpc.StatusCode.DEADLINE_EXCEEDED,
    "model_code_failed": grpc.StatusCode.INTERNAL,
}
_BY_FAMILY: tuple[tuple[type[DrivetrainError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (Transient, grpc.StatusCode.UNAVAILABLE),
)
_STREAMS = 100

Context = Any  # grpc.aio gives no types
Handle = Callable[[Message, Context], Awaitable[Message]]


class GrpcServer:
    """The server of one worker. ``certificate`` is what HTTPS shows, if it does."""

    def __init__(self, services: Sequence[Service], settings: ServerSettings, certificate: Certificate | None) -> None:
        self._services = {service.name: service for service in services}
        self._host = settings.host
        self._certificate = certificate
        self._server = grpc.aio.server(
            options=_options(settings.limits), maximum_concurrent_rpcs=settings.limits.max_connections
        )
        handlers: Mapping[str, Handle] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        methods = {name: _method(name, handle) for name, handle in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", methods),))

    async def listen(self, port: int) -> None:
        """Answer from now on, over TLS where HTTP does."""
        address = authority(self._host, port)
        if self._certificate is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, _credentials(self._certificate))
        await self._server.start()

    async def drain(self, seconds: float) -> None:
        """Take no more calls, answer those that were accepted, and cut who is not done after so many seconds."""
        await self._server.stop(seconds)

    # --- the calls ---------------------------------------------------------------------------------------------

    async def _live(self, asked: Message, context: Context) -> Message:
        return message("ServerLiveResponse")(live=True)

    async def _ready(self, asked: Message, context: Context) -> Message:
        return message("ServerReadyResponse")(ready=any(service.lineup for service in self._services.values()))

    async def _model_ready(self, asked: Message, context: Context) -> Message:
        return message("ModelReadyResponse")(ready=self._service(asked.name, asked.version).lineup is not None)

    async def _metadata(self, asked: Message, context: Context) -> Message:
        _caller(next(iter(self._services.values())), context)
        return message("ServerMetadataResponse")(name="drivetrain", version=version("drivetrain"))

    async def _model_metadata(self, asked: Message, context: Context) -> Message:
        service = self._service(asked.name, asked.version)
        _caller(service, context)
        champion = service.standing().champion.contender
        found = metadata(service.name, champion)
        tensor = message("TensorMetadata")
        inputs, outputs = (
            [tensor(name=each.name, datatype=each.datatype, shape=each.shape) for each in tensors]
            for tensors in (found.inputs, found.outputs)
        )
        return message("ModelMetadataResponse")(
            name=found.name, versions=found.versions, platform=found.platform, inputs=inputs, outputs=outputs
        )

    async def _infer(self, asked: Message, context: Context) -> Message:
        began, outcome = time.perf_counter(), 500
        service = self._service(asked.model_name, asked.model_version)
        try:
            answer = await _infer(service, asked, context, began)
            outcome = 200
        except DrivetrainError as error:
            outcome = status(error)
            raise
        except asyncio.CancelledError:
            outcome = 0  # nobody was answered
            raise
        finally:
            if outcome:
                service.counts.answered("grpc ModelInfer", outcome, time.perf_counter() - began)
        return answer

    def _service(self, name: str, wanted: str) -> Service:
        service = self._services.get(name)
        if service is None:
            raise NotFound(
                "model_unknown", f"there is no model {name[:80]}", hint=f"models: {examples(list(self._services))}"
            )
        if wanted and service.lineup and wanted != service.lineup.champion.contender.release.ref.version:
            raise NotFound("model_unknown", f"version {wanted[:40]} of {name} does not answer", hint="leave it out")
        return service


class _Call(Request):
    """The rows of one call; ``answer`` is there once they are scored."""

    def __init__(self, request: InferenceRequest) -> None:
        self.request = request
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


async def _infer(service: Service, asked: Message, context: Context, began: float) -> Message:
    """Queue the rows of the tensors; they are recorded before the answer. Raises what refuses them."""
    caller = _caller(service, context)
    request = read_inference(asked)
    remaining, patience = context.time_remaining(), service.settings.deadline_seconds
    call = _Call(request)
    service.queue(call, caller, began + (patience if remaining is None else min(patience, remaining)))
    try:
        scored = await call.answer
    finally:
        call.ended = True  # whoever has gone need not be scored
    await context.send_initial_metadata((("x-drivetrain-release", scored.release),))
    return written_answer(service.name, request, scored, packed=bool(asked.raw_input_contents))


def _caller(service: Service, context: Context) -> Caller:
    sent = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return service.callers.only("predict").admit(sent.get("authorization"), sent.get("x-api-key"))


def _method(name: str, handle: Handle) -> Any:
    """A call whose every end the caller is told in a word of the protocol, and nothing about our inside."""
    read, write = message(f"{name}Request").FromString, message(f"{name}Response").SerializeToString

    async def call(content: bytes, context: Context) -> Message:
        try:
            return await handle(_parsed(read, content), context)
        except DrivetrainError as error:
            await _abort(context, error)
        except Exception as error:  # noqa: BLE001 - the process boundary: a defect of ours ends one call, not the server
            MISHAPS.tell(error)
            await _abort(context, DEFECT)

    return grpc.unary_unary_rpc_method_handler(call, response_serializer=write)


def _parsed(read: Callable[[bytes], Message], content: bytes) -> Message:
    try:
        return read(content)
    except DecodeError:
        raise InvalidInput(
            "message_invalid",
            "this is not the message that belongs to the call",
            where="message",
            hint="make your client from open_inference_grpc.proto of the Open Inference Protocol",
        ) from None


async def _abort(context: Context, error: DrivetrainError) -> None:
    family = next((code for family, code in _BY_FAMILY if isinstance(error, family)), grpc.StatusCode.INTERNAL)
    trailing = [("x-drivetrain-code", error.code)]
    if isinstance(error, Transient):
        trailing.append(("retry-after", retry_after(error)))
    await context.abort(_BY_CODE.get(error.code, family), str(error), tuple(trailing))


def _options(limits: ConnectionLimits) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", limits.max_body_bytes),
        ("grpc.max_metadata_size", limits.max_header_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_header_bytes),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.server_handshake_timeout_ms", int(limits.head_seconds * 1000)),
        ("grpc.max_connection_idle_ms", int(limits.idle_seconds * 1000)),
    )


def _credentials(certificate: Certificate) -> Any:
    """Asked anew for each connection: a certificate that was renewed is shown at once."""
    shown = certificate.pem

    def renewed() -> Any:
        nonlocal shown
        if certificate.pem == shown:
            return None
        shown = certificate.pem
        return grpc.ssl_server_certificate_configuration([shown])

    return grpc.dynamic_ssl_server_credentials(grpc.ssl_server_certificate_configuration([shown]), renewed)
