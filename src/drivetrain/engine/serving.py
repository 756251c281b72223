"""The prediction server as a process of its own: its command line, and a running one to talk to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from drivetrain.core.errors import Transient
from drivetrain.core.project import ServiceSpec

_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.02


def server_command(home: str, service: str, spec: ServiceSpec, *, host: str | None, port: int | None) -> list[str]:
    """The command line of the server; ``host`` and ``port`` stand in for those of the project file."""
    command = [
        sys.executable, "-m", "drivetrain.serve", "--home", home, "--service", service,
        "--host", host or spec.host, "--port", str(spec.port if port is None else port),
        "--max-body-bytes", str(spec.max_body_bytes), "--max-rows", str(spec.max_rows),
    ]  # fmt: skip
    if spec.requests_per_second is not None:
        command += ["--requests-per-second", str(spec.requests_per_second)]
    return command


class Server:
    """A running prediction server; as a context manager it is ready on entering and stopped on leaving."""

    def __init__(self, command: list[str], ready_file: Path) -> None:
        self._command = command
        self._ready_file = ready_file
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module
        self.url = self._wait(self._process)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def wait(self) -> None:
        """Until the server ends by itself."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Ask it to finish what it accepted and end; after a while, end it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            url = self._ready_url(process.pid)
            if url:
                return url
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        raise Transient(
            "server_not_ready",
            "the prediction server did not become ready",
            where=str(self._ready_file),
            hint="its own message stands above; `drivetrain doctor` looks at this machine",
        )

    def _ready_url(self, pid: int) -> str:
        """What the server wrote once it answered; empty before, and for what another process wrote."""
        try:
            said = json.loads(self._ready_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return ""
        return str(said["url"]) if said.get("pid") == pid else ""
