"""Names for predictions: unique on every machine and over restarts, and in the order of time."""

from __future__ import annotations

import secrets


class PredictionIds:
    """Gives ids of 27 characters: milliseconds since 1970, a number drawn at start, a counter; all hexadecimal."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(4)
        self._latest = 0
        self._count = 0

    def take(self, count: int, micros: int) -> list[bytes]:
        """The ids of ``count`` predictions made at ``micros``, microseconds since 1970; a clock set back is ignored."""
        self._latest = max(self._latest, micros // 1000)
        start = f"{self._latest:011x}{self._process}".encode()
        first, self._count = self._count, self._count + count
        return [b"%b%08x" % (start, number & 0xFFFFFFFF) for number in range(first, self._count)]
