"""The HTTP door: which path leads where, who may pass, and how much they may bring. Speaks RSGI to granian.

Everything that can be refused is refused before the body is read: unknown paths, other methods, missing keys, other
media types, bodies that are too large, callers who ask too often.
"""

from __future__ import annotations

import difflib
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # public, but imported without `as`

from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound
from drivetrain.serve.answers import Answer, MethodUnknown, refusal
from drivetrain.serve.callers import Callers, RateLimit
from drivetrain.serve.metrics import Metrics

Method = Literal["GET", "POST"]
NOBODY = ""
"""The caller where no key is asked for."""


class Endpoint(Protocol):
    """What answers a request. It raises DrivetrainError for what it refuses."""

    async def __call__(self, caller: str, body: bytes, query: str) -> Answer:
        """Answer ``caller``; ``body`` is empty for GET."""
        ...


@dataclass(frozen=True)
class Route:
    """An endpoint and how it is reached. An ``open`` one asks for no key; ``inference`` tells errors as OIP does."""

    method: Method
    endpoint: Endpoint
    open: bool = False
    inference: bool = False


class RequestHeaders(Protocol):
    """The headers of an RSGI scope."""

    def get(self, key: str) -> str | None:
        """The first value of a header, by its name in lower case."""
        ...


class Scope(Protocol):
    """The head of a request as granian gives it."""

    method: str
    path: str
    query_string: str
    headers: RequestHeaders


class Transport(Protocol):
    """The body of a request, and where the answer goes, as granian gives them."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in parts."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""
        ...


class Door:
    """Takes requests in, hands them to their endpoints, sends answers out, and counts them."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        callers: Callers,
        metrics: Metrics,
        *,
        max_body_bytes: int,
        rate_limit: RateLimit | None,
    ) -> None:
        self._routes = routes
        self._callers = callers
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._rate_limit = rate_limit

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        """One request, from its head to its answer."""
        started = time.perf_counter()
        path = scope.path
        route = self._routes.get(path)
        try:
            if route is None:
                raise self._unknown_path(path)
            caller, streamed = self._admit(route, scope)
            body = b""
            if route.method == "POST":
                body = await (self._parts(transport) if streamed else transport())
            answer = await route.endpoint(caller, body, scope.query_string)
        except DrivetrainError as error:
            answer = refusal(error, inference=route is not None and route.inference)
        except ProtocolClosed:  # the caller went away before the body was whole
            return
        except Exception:  # noqa: BLE001 - the process boundary: a defect of ours ends one request, not the server
            traceback.print_exc(file=sys.stderr)
            answer = refusal(_DEFECT)
        transport.response_bytes(*answer)
        self._metrics.answered(path if route else "unknown", answer.status, time.perf_counter() - started)

    def _admit(self, route: Route, scope: Scope) -> tuple[str, bool]:
        """Who is asking, and whether the body comes without its length. Raises for whoever may not or brings wrong."""
        method, headers = scope.method, scope.headers
        if method != route.method and not (method == "HEAD" and route.method == "GET"):
            raise MethodUnknown(method, route.method)
        caller = NOBODY
        if not route.open:
            caller = self._callers.name(headers.get("authorization"), headers.get("x-api-key"))
            if self._rate_limit is not None:
                self._rate_limit.take(caller)
        if route.method == "GET":
            return caller, False
        kind = headers.get("content-type")
        if kind is not None and not _is_json(kind):
            raise _not_json(kind)
        length = headers.get("content-length")
        if length is not None and int(length) > self._max_body_bytes:
            raise self._too_large()
        return caller, length is None

    async def _parts(self, transport: Transport) -> bytes:
        parts, size = [], 0
        async for part in transport:
            size += len(part)
            if size > self._max_body_bytes:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self) -> InvalidInput:
        return InvalidInput(
            "body_too_large",
            f"the body is larger than {self._max_body_bytes} bytes",
            where="body",
            hint="send fewer rows at a time",
        )

    def _unknown_path(self, path: str) -> NotFound:
        near = difflib.get_close_matches(path[:80], self._routes, n=1)
        hint = f"did you mean {near[0]}?" if near else "GET /docs lists what there is"
        return NotFound("path_unknown", "there is nothing at this path", where=path[:80], hint=hint)


def _not_json(kind: str) -> InvalidInput:
    return InvalidInput(
        "media_type_unknown",
        f"{kind[:80]} is not understood",
        where="Content-Type",
        hint="send JSON with the header `Content-Type: application/json`",
    )


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.partition(";")[0].strip().lower() == "application/json"


_DEFECT = DrivetrainError("internal", "the server made a mistake", hint="its log says more; please report it")
