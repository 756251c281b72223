"""Trying again what may pass: a source that is down, slow, or asks to come back later."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

from drivetrain.core.errors import Transient

T = TypeVar("T")
DEADLINE_SECONDS = 60.0
_FIRST_SECONDS, _LONGEST_SECONDS = 0.2, 10.0


def retrying(attempt: Callable[[], T], deadline_seconds: float = DEADLINE_SECONDS) -> T:
    """What ``attempt`` gives; while it raises Transient it is tried again, later each time, until the deadline.

    The pause doubles from 0.2 s to 10 s, half of it by chance ("equal jitter", M. Brooker, Exponential Backoff And
    Jitter, 2015), so that many do not come back together; a Transient with ``seconds`` says how long to wait itself.
    Raises the last error when the deadline has passed, or would before the next attempt.
    """
    over, pause = monotonic() + deadline_seconds, _FIRST_SECONDS
    while True:
        try:
            return attempt()
        except Transient as error:
            wait = error.seconds if error.seconds is not None else pause * (1 + random.random()) / 2  # noqa: S311 - no secret hangs on it
            if monotonic() + wait > over:
                raise
        Event().wait(wait)
        pause = min(2 * pause, _LONGEST_SECONDS)
