"""One request over a pool of connections, and what is known when its answer did not come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import BoundedSemaphore
from typing import NamedTuple

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import ClosedPoolError, HTTPError

from drivetrain.client.address import address, check_certificate, open_pool, sendable
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient

_PART_BYTES = 64 * 1024
_LEAST_S = 1e-3  # 0 would mean: do not wait at all
_MOST_S = 1e5  # what a service is told at most; a day and more


class Clock:
    """A time in seconds that runs out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, not below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def spent(self) -> float:
        """Seconds."""
        return self.seconds - (self._end - time.monotonic())


class Request(NamedTuple):
    """What is asked; ``path`` counts from the address of the client. ``media`` is empty when there is no body."""

    method: str
    path: str
    media: str = ""
    body: bytes = b""
    repeatable: bool = True
    partial: bool = False


class Reply(NamedTuple):
    """An answer. ``broken`` is why it ended early; None for a whole one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: Transient | None


class Unanswered(NamedTuple):
    """No answer, why, and whether the service may have taken the request all the same."""

    error: DrivetrainError
    taken: bool


class Body:
    """A body that knows whether it was asked for. Until then no byte of it has left, so nothing can have been taken."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.asked = False

    def __iter__(self) -> Iterator[bytes]:
        self.asked = True
        yield self._content


class Wire:
    """Connections to one service, kept open and shared by threads; at most ``size`` at a time."""

    def __init__(self, url: str, key: str, size: int, ca: str | Path | None) -> None:
        parts = address(url)
        self._path = (parts.path or "").rstrip("/")
        self.place = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._key = sendable(key)
        self._pool = open_pool(parts, size, ca)
        self._free = BoundedSemaphore(size)

    def send(self, request: Request, clock: Clock) -> Reply | Unanswered:
        """Send it once, and wait for the answer until the clock ends. Raises InvalidInput for what no repeat helps."""
        if not self._free.acquire(timeout=clock.left):
            return Unanswered(_busy(self.place), taken=False)
        try:
            return self._sent(request, clock)
        finally:
            self._free.release()

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.close()

    def _sent(self, request: Request, clock: Clock) -> Reply | Unanswered:
        body = Body(request.body)
        try:
            response = self._pool.urlopen(
                request.method,
                self._path + request.path,
                body if request.media else None,
                self._headers(request, clock),
                retries=False,
                redirect=False,
                timeout=Timeout(total=clock.left or _LEAST_S),
                preload_content=False,
            )
        except ClosedPoolError:
            raise InvalidInput("client_closed", "this client is closed", hint="ask inside its `with` block") from None
        except HTTPError as error:
            check_certificate(error, self.place)
            why = _why(error)
            return Unanswered(_lost(self.place, why) if body.asked else _unreachable(self.place, why), body.asked)
        content, broken = _read(response, clock)
        return Reply(response.status, response.headers, content, _lost(self.place, broken) if broken else None)

    def _headers(self, request: Request, clock: Clock) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "User-Agent": "drivetrain-client",
            "X-Deadline-Ms": str(int(min(max(clock.left, _LEAST_S), _MOST_S) * 1000)),
        }
        if request.media:
            headers |= {"Content-Type": request.media, "Content-Length": str(len(request.body))}
        return headers


def _read(response: BaseHTTPResponse, clock: Clock) -> tuple[bytes, str]:
    """The body as far as it came, and why no further; empty when it is whole."""
    parts: list[bytes] = []
    broken = ""
    try:
        while part := _part(response, clock.left):
            parts.append(part)
            if not clock.left:
                broken = "the time was over before its end"
                break
    except HTTPError as error:
        broken = _why(error)
    if broken:
        response.close()
    return b"".join(parts), broken


def _part(response: BaseHTTPResponse, left: float) -> bytes:
    """What has arrived of the body; waits for some as long as there is time left."""
    socket = getattr(response.connection, "sock", None)
    if socket is not None:
        socket.settimeout(left or _LEAST_S)
    return response.read1(_PART_BYTES)


def _why(error: HTTPError) -> str:
    """What happened, without the names of urllib3's objects."""
    cause = error.__cause__ or error.__context__ or (error.args[-1] if error.args else None)
    told = cause if isinstance(cause, Exception) and str(cause) else error
    return str(told) or type(told).__name__


def _lost(place: str, why: str) -> Transient:
    return Transient(
        "answer_lost",
        f"the service got the request, but its answer did not come whole: {why}",
        where=place,
        hint="it is not sent again by itself: predictions may be recorded already, and a repeat records them twice",
    )


def _unreachable(place: str, why: str) -> Transient:
    return Transient("service_unreachable", f"the service did not answer: {why}", where=place, hint="is it running?")


def _busy(place: str) -> Transient:
    return Transient(
        "connections_busy",
        "all connections of this client are in use",
        where=place,
        hint="give the client more `connections`, or more time",
    )
