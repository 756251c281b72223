"""When a request may be sent again, how long to wait before that, and what is told when it is given up."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from http import HTTPStatus

from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from drivetrain.client.refusals import refusal
from drivetrain.client.wire import Clock, Reply, Request, Unanswered, Wire
from drivetrain.core.errors import DrivetrainError, Transient, examples

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_MORE = "give the call a longer `deadline`, or fewer rows"
_NOT_TAKEN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True)
class Failure:
    """An attempt that failed: how, whether another may be made, and how long the service wants to be left alone."""

    error: DrivetrainError
    again: bool
    wait: float = 0.0


def ask(wire: Wire, request: Request, clock: Clock, timeout: float, retries: int) -> Reply:
    """The answer with status 200, within the time of the clock, each attempt within ``timeout`` seconds.

    Sent again, at most ``retries`` times, is what the service cannot have taken (429, 503, no connection), and what
    may be told twice (``request.repeatable``). Raises the error of the service, or Transient with what was tried.
    """
    tried: list[str] = []
    while True:
        found = _attempt(wire, request, Clock(min(timeout, clock.left)))
        if isinstance(found, Reply):
            return found
        tried.append(found.error.code)
        if not found.again:
            raise found.error
        pause = found.wait + _pause(len(tried))
        if len(tried) > retries or pause >= clock.left:
            raise _given_up(found.error, tried, clock)
        time.sleep(pause)


def _attempt(wire: Wire, request: Request, clock: Clock) -> Reply | Failure:
    if not clock.left:
        return Failure(
            Transient("deadline_over", "the time was over before it was sent", where=wire.place), again=False
        )
    reply = wire.send(request, clock)
    if isinstance(reply, Unanswered):
        return Failure(reply.error, again=request.repeatable or not reply.taken)
    if reply.status != HTTPStatus.OK:
        error = refusal(reply.status, reply.body, wire.place + request.path)
        again = reply.status in _NOT_TAKEN or (request.repeatable and isinstance(error, Transient))
        return Failure(error, again, _retry_after(reply))
    if reply.broken is not None and not request.partial:
        return Failure(reply.broken, again=request.repeatable)
    return reply


def _pause(attempt: int) -> float:
    """Seconds before the next attempt: twice as long each time, and drawn, so that callers do not come back at once.

    "Full jitter" of M. Brooker, Exponential Backoff And Jitter (2015).
    """
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
    return random.uniform(0, longest)  # noqa: S311 - spreads callers in time; nothing secret


def _retry_after(reply: Reply) -> float:
    """Seconds; 0 when the service does not say, or says what nobody understands."""
    told = reply.headers.get("retry-after")
    if told is None:
        return 0.0
    try:
        return Retry(0).parse_retry_after(told)
    except InvalidHeader:
        return 0.0


def _given_up(error: DrivetrainError, tried: list[str], clock: Clock) -> Transient:
    times = "once" if len(tried) == 1 else f"{len(tried)} times"
    what = f"tried {times} in {clock.spent:.1f} of {clock.seconds:g} s: {examples(tried)}"
    return Transient(error.code, f"{error.message} ({what})", where=error.where, hint=error.hint)
