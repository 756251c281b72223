"""The server's side of its recorder: starts it, starts it again when it ends, and lets it finish."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from drivetrain.serve.settings import ServiceSettings, to_json

_FINISH_WITHIN_S = 5.0


class RecorderProcess:
    """The recorder of a server. As a context manager it lets the recorder finish; it starts with ``look_after``."""

    def __init__(self, services: tuple[ServiceSettings, ...]) -> None:
        self.starts = 0
        self._command = [sys.executable, "-m", "drivetrain.serve.recorder", to_json(services)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):  # a long roll goes on without us; nothing is lost
                self._process.wait(_FINISH_WITHIN_S)

    def look_after(self) -> None:
        """Start the recorder unless it runs. It ends by itself when this process does, however that ends."""
        if self._process is None or self._process.poll() is not None:
            self.starts += 1
            # A session of its own: Ctrl+C in a terminal is for the server, which lets the recorder finish.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )
