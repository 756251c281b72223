"""The door: which path leads where, who may pass, and how much they may bring.

Everything that can be refused is refused before the body is read: unknown paths, other methods, missing keys, other
media types, bodies that are too large, callers who ask too often.
"""

from __future__ import annotations

import difflib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from drivetrain.access.caller import Caller
from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound
from drivetrain.serve.answers import MethodUnknown, refusal
from drivetrain.serve.callers import Callers
from drivetrain.serve.cors import Cors
from drivetrain.serve.counts import Counts
from drivetrain.serve.http.head import Head
from drivetrain.serve.http.messages import Answer, Exchange

Method = Literal["GET", "POST"]
JSON_TYPE = "application/json"
_CODES = {400: "http_invalid", 408: "request_too_slow", 413: "body_too_large", 431: "head_too_large", 503: "draining"}


class Endpoint(Protocol):
    """What answers a request, now or later. It raises DrivetrainError for what it refuses."""

    def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange; its body is empty for GET."""
        ...


@dataclass(frozen=True, eq=False)
class Route:
    """Where a path leads: an endpoint for each media type that it takes (one for GET: any).

    ``callers`` says who may come; None: anybody. What ``streams`` is read part by part. ``inference`` tells errors as
    the Open Inference Protocol does. ``counts`` takes the metrics; ``name`` is the path in them.
    """

    name: str
    method: Method
    endpoints: Mapping[str, Endpoint]
    counts: Counts
    callers: Callers | None = None
    streams: frozenset[str] = frozenset()
    inference: bool = False

    def endpoint(self, kind: str | None) -> Endpoint:
        """The endpoint for a Content-Type; JSON when there is none. Raises InvalidInput."""
        media = JSON_TYPE if kind is None else kind.partition(";")[0].strip().lower()
        found = self.endpoints.get(media)
        if found is None:
            raise _media_unknown(kind or media, self.endpoints)
        return found


class Door:
    """Takes requests in, hands them to their endpoints, and counts what became of them."""

    def __init__(self, routes: Mapping[str, Route], counts: Counts, max_body_bytes: int, cors: Cors | None) -> None:
        self.routes = routes
        self._counts = counts
        self._max_body_bytes = max_body_bytes
        self._cors = cors

    def open(self, exchange: Exchange) -> None:
        """The head is here: let it pass, or refuse it."""
        exchange.settled = self._count
        head = exchange.head
        route = self.routes.get(head.path)
        try:
            if self._cors is not None and self._cors.meets(exchange, route.method if route else ""):
                return
            if route is None:
                raise self._path_unknown(head.path)
            exchange.route = route
            self._admit(exchange, route, head)
        except DrivetrainError as error:
            exchange.answer(refusal(error, inference=route is not None and route.inference))

    def handle(self, exchange: Exchange) -> None:
        """The body is here as well: let the endpoint answer."""
        route = exchange.route
        assert isinstance(route, Route)
        try:
            route.endpoint(exchange.head.headers.get("content-type") if route.method == "POST" else None)(exchange)
        except DrivetrainError as error:
            exchange.answer(refusal(error, inference=route.inference))
        except Exception:  # noqa: BLE001 - the process boundary: a defect of ours ends one request, not the server
            exchange.answer(defect(inference=route.inference))

    def refuse(self, status: int, reason: str) -> Answer:
        """The answer to what never became a request."""
        hint = "see RFC 9112" if status == 400 else "send less, or faster"
        answer = refusal(InvalidInput(_CODES.get(status, "http_invalid"), reason, where="request", hint=hint))
        self._counts.answered("refused", status, 0.0)
        return answer._replace(status=status)

    def _admit(self, exchange: Exchange, route: Route, head: Head) -> None:
        """Raise for whoever may not come in, or brings wrong."""
        if head.method != route.method and not (head.method == "HEAD" and route.method == "GET"):
            raise MethodUnknown(head.method, route.method)
        headers = head.headers
        if route.callers is not None:
            caller = route.callers.find(headers.get("authorization"), headers.get("x-api-key"))
            caller.admit()
            exchange.caller = caller
        if route.method == "GET":
            return
        kind = headers.get("content-type")
        if kind != JSON_TYPE:
            route.endpoint(kind)
            exchange.streams = kind is not None and kind.partition(";")[0].strip().lower() in route.streams
        if head.length is not None and head.length > self._max_body_bytes and not exchange.streams:
            raise InvalidInput(
                "body_too_large",
                f"the body is larger than {self._max_body_bytes} bytes",
                where="body",
                hint="send fewer rows at a time, or stream them as application/x-ndjson",
            )

    def _count(self, exchange: Exchange) -> None:
        route = exchange.route
        if isinstance(route, Route):
            route.counts.answered(route.name, exchange.answered, time.perf_counter() - exchange.started)
        else:
            self._counts.answered("unknown", exchange.answered, time.perf_counter() - exchange.started)

    def _path_unknown(self, path: str) -> NotFound:
        near = difflib.get_close_matches(path[:80], self.routes, n=1)
        hint = f"did you mean {near[0]}?" if near else "GET /docs lists what there is"
        return NotFound("path_unknown", "there is nothing at this path", where=path[:80], hint=hint)


def caller_of(exchange: Exchange) -> Caller:
    """Who asks; only where the route asks for a key."""
    assert isinstance(exchange.caller, Caller)
    return exchange.caller


def defect(*, inference: bool = False) -> Answer:
    """The answer to a mistake of ours; what happened goes to the log."""
    traceback.print_exc(file=sys.stderr)
    return refusal(_DEFECT, inference=inference)


def _media_unknown(kind: str, known: Mapping[str, Endpoint]) -> InvalidInput:
    return InvalidInput(
        "media_type_unknown",
        f"{kind[:80]} is not understood",
        where="Content-Type",
        hint=f"send JSON with the header `Content-Type: application/json`{_others(list(known))}",
    )


def _others(known: Sequence[str]) -> str:
    others = [name for name in known if name != JSON_TYPE]
    return f", or {' or '.join(others)}" if others else ""


_DEFECT = DrivetrainError("internal", "the server made a mistake", hint="its log says more; please report it")
