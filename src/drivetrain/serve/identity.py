"""Names for predictions: unique on every machine and over restarts, and in the order of time."""

from __future__ import annotations

import secrets

import numpy as np


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
        if count == 1:
            return [b"%b%08x" % (start, first & 0xFFFFFFFF)]
        numbers = np.arange(first, self._count, dtype=np.uint64).astype(">u4")  # of large ones, the low 32 bits
        digits = numbers.tobytes().hex().encode()
        return [start + digits[at : at + 8] for at in range(0, 8 * count, 8)]
