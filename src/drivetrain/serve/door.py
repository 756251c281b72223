"""The door: which path leads where, who may pass, and how much they may bring.

Everything that can be refused is refused before the body is read: unknown paths, other methods, missing keys, other
media types, bodies that are too large, callers who ask too often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from drivetrain.access.caller import Caller
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.serve.answers import MethodUnknown, Overloaded, refusal
from drivetrain.serve.callers import Entry
from drivetrain.serve.cors import Cors
from drivetrain.serve.counts import Counts
from drivetrain.serve.crowd import Crowd
from drivetrain.serve.mishaps import MISHAPS

Method = Literal["GET", "POST"]
JSON_TYPE = "application/json"
_CODES = {400: "http_invalid", 408: "request_too_slow", 413: "body_too_large", 431: "head_too_large"}


class Endpoint(Protocol):
    """What answers a request, now or later. It raises DrivetrainError for what it refuses."""

    def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange; its body is empty for GET."""
        ...


@dataclass(frozen=True, eq=False)
class Route:
    """Where a path leads: an endpoint for each media type that it takes (one for GET: any).

    ``entry`` says who may come; None: anybody. What ``streams`` is read part by part.
    ``counts`` takes the metrics; ``name`` is the path in them. While ``full`` says so, whoever comes is sent away, for
    next to nothing; ``crowd`` knows when they are told. ``beside`` is the same path with the other method.
    """

    name: str
    method: Method
    endpoints: Mapping[str, Endpoint]
    counts: Counts
    entry: Entry | None = None
    streams: frozenset[str] = frozenset()
    full: Callable[[], bool] | None = None
    crowd: Crowd | None = None
    beside: Route | None = None

    def to(self, method: str) -> Route:
        """The route of a method; this one where no other answers it."""
        return self.beside if self.beside is not None and self.beside.method == method else self

    @property
    def allowed(self) -> str:
        """The methods that are answered."""
        return self.method if self.beside is None else f"{self.method}, {self.beside.method}"

    def settled(self, exchange: Exchange) -> None:
        """Count an answer."""
        self.counts.answered(self.name, exchange.answered, time.perf_counter() - exchange.started)


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What is always the same for the same head: where it leads, and what it says of who is asking."""

    route: Route
    endpoint: Endpoint
    authorization: str | None
    api_key: str | None
    streams: bool


class Finder(Protocol):
    """All routes of a server."""

    @property
    def exact(self) -> Mapping[str, Route]:
        """Those that never lead elsewhere."""
        ...

    def find(self, path: str) -> Route:
        """The route of a path. Raises NotFound."""
        ...


class Door:
    """Takes requests in, hands them to their endpoints, and counts what became of them."""

    def __init__(self, routes: Finder, counts: Counts, max_body_bytes: int, cors: Cors | None) -> None:
        self.routes = routes
        self._counts = counts
        self._max_body_bytes = max_body_bytes
        self._cors = cors

    def open(self, exchange: Exchange) -> None:
        """The head is here: let it pass, or refuse it."""
        head = exchange.head
        try:
            if self._cors is not None and self._cors.meets(exchange):
                return
            plan = exchange.plan = head.plan or self._plan(exchange)
            assert isinstance(plan, Plan)
            route = plan.route
            exchange.settled = route.settled
            if route.full is not None and not plan.streams and route.full():
                route.counts.happened("overloaded")
                self._send_away(exchange, route)
                return
            if route.entry is not None:
                exchange.caller = route.entry.admit(plan.authorization, plan.api_key)
            exchange.streams = plan.streams
        except DrivetrainError as error:
            exchange.answer(refusal(error, inference=speaks_inference(head.path)))

    def handle(self, exchange: Exchange) -> None:
        """The body is here as well: let the endpoint answer."""
        plan = exchange.plan
        assert isinstance(plan, Plan)
        if exchange.dismissed:
            return
        try:
            plan.endpoint(exchange)
        except Overloaded:
            self._send_away(exchange, plan.route)
        except DrivetrainError as error:
            exchange.answer(refusal(error, inference=speaks_inference(exchange.head.path)))
        except Exception as error:  # noqa: BLE001 - the process boundary: a defect ends one request, not the server
            exchange.answer(defect(error, inference=speaks_inference(exchange.head.path)))

    def _send_away(self, exchange: Exchange, route: Route) -> None:
        """Refuse for want of room."""
        answer = _OVERLOADED_V2 if speaks_inference(exchange.head.path) else _OVERLOADED
        pause = route.crowd.send_away(exchange.started) if route.crowd is not None else 0.0
        if pause:
            exchange.dismissed = True
            asyncio.get_running_loop().call_later(pause, exchange.answer, answer)
        else:
            exchange.answer(answer)

    def refuse(self, status: int, reason: str) -> Answer:
        """The answer to what never became a request."""
        hint = "see RFC 9112" if status == 400 else "send less, or faster"
        error: DrivetrainError = InvalidInput(_CODES.get(status, "http_invalid"), reason, where="request", hint=hint)
        if status == 503:
            error = Transient("connections_too_many", reason, hint="connect again after Retry-After seconds")
        answer = refusal(error)
        self._counts.answered("refused", status, 0.0)
        return answer._replace(status=status)

    def _plan(self, exchange: Exchange) -> Plan:
        """Find out where a head leads, once; raises for one that leads nowhere, or brings what is wrong."""
        head = exchange.head
        exchange.settled = self._lost
        route = self.routes.find(head.path).to(head.method)
        exchange.settled = route.settled
        headers = head.headers
        if head.method != route.method and not (head.method == "HEAD" and route.method == "GET"):
            raise MethodUnknown(head.method, route.allowed)
        media = _media(headers.get("content-type")) if route.method == "POST" else JSON_TYPE
        if media not in route.endpoints:
            raise _media_unknown(media, route.endpoints)
        streams = media in route.streams
        if head.length is not None and head.length > self._max_body_bytes and not streams:
            raise _too_large(self._max_body_bytes)
        plan = Plan(route, route.endpoints[media], headers.get("authorization"), headers.get("x-api-key"), streams)
        if head.path in self.routes.exact:  # the others lead elsewhere when another release answers
            head.plan = plan
        return plan

    def _lost(self, exchange: Exchange) -> None:
        self._counts.answered("unknown", exchange.answered, time.perf_counter() - exchange.started)


def caller_of(exchange: Exchange) -> Caller:
    """Who asks; only where the route asks for a key."""
    assert isinstance(exchange.caller, Caller)
    return exchange.caller


def defect(error: Exception, *, inference: bool = False) -> Answer:
    """The answer to a mistake of ours; what happened goes to the log."""
    MISHAPS.tell(error)
    return refusal(DEFECT, inference=inference)


def speaks_inference(path: str) -> bool:
    """Whether errors at a path are told as the Open Inference Protocol wants them."""
    return path == "/v2" or path.startswith("/v2/models")


def _media(kind: str | None) -> str:
    return JSON_TYPE if kind is None else kind.partition(";")[0].strip().lower()


def _too_large(most: int) -> InvalidInput:
    return InvalidInput(
        "body_too_large",
        f"the body is larger than {most} bytes",
        where="body",
        hint="send fewer rows at a time, or stream them as application/x-ndjson",
    )


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


_OVERLOADED = refusal(Overloaded())
_OVERLOADED_V2 = refusal(Overloaded(), inference=True)
DEFECT = DrivetrainError("internal", "the server made a mistake", hint="its log says more; please report it")
