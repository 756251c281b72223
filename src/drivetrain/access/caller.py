"""A caller with an API key: requests a second and rows a day, counted in cells that all workers share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from drivetrain.access.api_keys import Limits
from drivetrain.access.scopes import EVERYTHING, Scope
from drivetrain.access.usage import DAY, DAY_S, MOST_WORKERS, ROWS, ROWS_ORIGIN, SECONDS, SECONDS_ORIGIN, Record
from drivetrain.core.errors import Transient

_TOLERANCE_S = 1e-6
_LATE_S = 10.0  # between the look at the clock and the look at the table a busy machine may halt a worker


@dataclass(frozen=True)
class Clock:
    """What tells the time, in seconds: ``steady`` for rates, one for all workers; ``wall`` since 1970 UTC, for days."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


REAL_TIME = Clock()


class RateLimited(Transient):
    """A caller asks too often; ``seconds`` until the next request is taken."""

    def __init__(self, seconds: float) -> None:
        hint = "ask again after Retry-After seconds"
        super().__init__(
            "rate_limited", "too many requests with this API key", hint=hint, seconds=max(1, math.ceil(seconds))
        )


class QuotaExceeded(Transient):
    """A caller has not so many rows left on this day; ``seconds`` until the next one begins."""

    def __init__(self, rows: int, left: int, seconds: float) -> None:
        super().__init__(
            "quota_exceeded",
            f"this API key has {left} rows left today, not {rows}",
            hint="a new day begins at midnight UTC, after Retry-After seconds",
            seconds=max(1, math.ceil(seconds)),
        )


class Caller:
    """Somebody with an API key, as one worker sees them. ``scopes`` is what the key is good for."""

    __slots__ = (
        "_believed", "_burst", "_cells", "_day", "_day_begins", "_day_ends", "_interval", "_my_rows", "_my_seconds",
        "_other_rows", "_other_seconds", "_rows_per_day", "_steady", "_wall", "limits", "name",
        "scopes",
    )  # fmt: skip

    def __init__(
        self, name: str, limits: Limits, record: Record, clock: Clock, scopes: frozenset[Scope] = EVERYTHING
    ) -> None:
        self.name = name
        self.scopes = scopes
        self.limits = limits
        self._steady, self._wall = clock.steady, clock.wall
        self._interval = 1.0 / limits.requests_per_second if limits.requests_per_second else 0.0
        self._burst = max(1.0, self._interval)
        self._believed = self._burst + MOST_WORKERS * self._interval + _LATE_S
        self._rows_per_day = math.inf if limits.rows_per_day is None else limits.rows_per_day
        self._cells = record.cells
        self._my_seconds, self._my_rows = SECONDS + record.lane, ROWS + record.lane
        others = [lane for lane in range(record.lanes) if lane != record.lane]
        self._other_seconds = tuple(SECONDS + lane for lane in others)
        self._other_rows = tuple(ROWS + lane for lane in others)
        self._turn(clock.wall())

    def admit(self, now: float | None = None) -> None:
        """Count one request at ``now`` (by ``Clock.steady``). Raises RateLimited with the seconds to wait.

        The generic cell rate algorithm (ITU-T I.371, virtual scheduling) with bursts of one second. The theoretical
        arrival time is an origin and the intervals that all workers spent since then; whoever finds it in the past
        moves the origin. It is moved too when the arrival time is further ahead than these limits can have brought it:
        that is left of slower limits, or of the time before a reboot, when the clock began anew.
        """
        interval = self._interval
        if not interval:
            return
        if now is None:
            now = self._steady()
        cells = self._cells
        mine = spent = cells[self._my_seconds]
        for other in self._other_seconds:
            spent += cells[other]
        # Read after what was spent, written before it: who sees a request sees the origin that it counts from.
        ahead = cells[SECONDS_ORIGIN] + spent - now
        if not 0.0 <= ahead <= self._believed:
            cells[SECONDS_ORIGIN] = now - spent
            ahead = 0.0
        too_early = ahead + interval - self._burst
        if too_early > _TOLERANCE_S:
            raise RateLimited(too_early)
        cells[self._my_seconds] = mine + interval

    def charge(self, rows: int) -> None:
        """Count rows on this day (UTC): all of them, or none and raise QuotaExceeded."""
        wall = self._wall()
        if not self._day_begins <= wall < self._day_ends:
            self._turn(wall)
        cells = self._cells
        mine = ever = cells[self._my_rows]
        for other in self._other_rows:
            ever += cells[other]
        if cells[DAY] != self._day:
            cells[ROWS_ORIGIN] = -ever
            cells[DAY] = self._day
        used = cells[ROWS_ORIGIN] + ever
        if used + rows > self._rows_per_day:
            raise QuotaExceeded(rows, max(0, int(self._rows_per_day - used)), self._day_ends - wall)
        cells[self._my_rows] = mine + rows

    def _turn(self, wall: float) -> None:
        self._day = wall // DAY_S
        self._day_begins = self._day * DAY_S
        self._day_ends = self._day_begins + DAY_S
