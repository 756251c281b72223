"""Mistakes of our own: told in the log with all they know, but never so often that the log becomes the next mishap."""

from __future__ import annotations

import io
import sys
import time
import traceback
from contextlib import suppress
from typing import TextIO

_EVERY_SECONDS = 1.0


class Mishaps:
    """Prints at most one a second, and how many were left out before it."""

    def __init__(self) -> None:
        self._last = -_EVERY_SECONDS
        self._left_out = 0

    def tell(self, error: BaseException) -> None:
        """Print the error with its traceback, unless something was printed just now."""
        if self._may():
            traceback.print_exception(error, file=sys.stderr)

    def say(self, what: str) -> None:
        """Print a line, unless something was printed just now; from any thread."""
        if self._may():
            print(f"drivetrain serve: {what}", file=sys.stderr)  # noqa: T201 - the log

    def _may(self) -> bool:
        now = time.monotonic()
        if now - self._last < _EVERY_SECONDS:
            self._left_out += 1
            return False
        left_out, self._last, self._left_out = self._left_out, now, 0
        if left_out:
            print(f"drivetrain serve: {left_out} more mishaps were left out", file=sys.stderr)  # noqa: T201 - the log
        return True


MISHAPS = Mishaps()
"""Those of this process."""


class Log(io.TextIOBase):
    """A log that may be on a full disk, or nobody's any more: what it does not take is lost, and nothing else is."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Send on what waits, if it goes."""
        with suppress(OSError):
            self._file.flush()


def keep_log() -> None:
    """From now on this process survives a standard error that cannot be written."""
    sys.stderr = Log(sys.stderr)
