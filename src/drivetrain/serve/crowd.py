"""More than can be answered: how those who are sent away are told, and how many ask at a time.

Whoever asks again at once, whatever Retry-After says, takes time from those who are answered: refusing would become
most of the work. So only some of a crowd are told at once, and the others a moment later.
"""

from __future__ import annotations

_WINDOW_SECONDS = 0.4
_AT_ONCE = 40
"""Of each window: they are told at once."""
PAUSE_SECONDS = 0.1


class Crowd:
    """Those whom one service had to send away lately; ``gone``: nobody. Times are of ``time.perf_counter``."""

    def __init__(self) -> None:
        self.gone = True
        self._window = 0
        self._now = self._before = 0

    def send_away(self, now: float) -> float:
        """One more is sent away; the seconds until they are told."""
        self._turn_to(now)
        self._now += 1
        self.gone = False
        return 0.0 if self._now <= _AT_ONCE else PAUSE_SECONDS

    def size(self, now: float) -> int:
        """About how many of them there are at a time, if each asks again when told."""
        self._turn_to(now)
        return int(max(self._now, self._before) * PAUSE_SECONDS / _WINDOW_SECONDS)

    def _turn_to(self, now: float) -> None:
        window = int(now / _WINDOW_SECONDS)
        if window != self._window:
            self._before = self._now if window == self._window + 1 else 0
            self._window, self._now = window, 0
            self.gone = not self._before
