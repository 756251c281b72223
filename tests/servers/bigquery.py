"""bqemulator: BigQuery's REST and Storage Read interfaces over DuckDB, and a door before it that can fail.

It stands in an environment of its own, as its libraries are not ours: `.ci/run` makes `.venv-bigquery`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.servers.seaweedfs import free_ports

ROOT = Path(__file__).parents[2]
Fault = Callable[[str, str], tuple[int, dict] | None]
"""Of a method and a path: the answer instead of BigQuery's, or None."""


@dataclass
class BigQuery:
    """A running emulator with the data set ``shop`` in the project ``tests``; ``faults`` are met one a request."""

    rest: int
    grpc: int
    door: int = 0
    faults: deque[Fault | None] = field(default_factory=deque)
    asked: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    always: Fault | None = None

    @property
    def options(self) -> dict[str, object]:
        return {
            "project": "tests", "endpoint": f"http://127.0.0.1:{self.door}", "allow_http": True,
            "storage_endpoint": f"http://127.0.0.1:{self.grpc}", "token": {"env": "TOKEN"}, "retry_seconds": 3,
        }  # fmt: skip

    def run(self, sql: str) -> None:
        body = json.dumps({"query": sql, "useLegacySql": False}).encode()
        status, answer = self.ask("POST", "/bigquery/v2/projects/tests/queries", body)
        assert status == 200, answer
        assert not json.loads(answer).get("errors"), answer

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.rest, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _program() -> Path:
    named = os.environ.get("DRIVETRAIN_BQEMULATOR")
    found = Path(named) if named else ROOT / ".venv-bigquery" / "bin" / "bqemulator"
    if not found.exists():
        pytest.skip("bqemulator is not installed: `.ci/run` makes .venv-bigquery")
    return found


@contextmanager
def bigquery(folder: Path) -> Iterator[BigQuery]:
    """The emulator on free ports. It finds its extension in a home of its own, and loads nothing from elsewhere."""
    program = _program()
    (extension,) = program.parents[1].glob("lib/python*/site-packages/duckdb_extension_spatial/extensions/*/*extension")
    place = folder / ".duckdb" / "extensions" / extension.parent.name / "linux_amd64"
    place.mkdir(parents=True)
    shutil.copy(extension, place)
    rest, grpc = free_ports(2)
    command = [program, "start", f"--rest-port={rest}", f"--grpc-port={grpc}", "--project=tests"]
    environment = {**os.environ, "HOME": str(folder), "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, cwd=folder, **quiet) as process:
        try:
            running = BigQuery(rest, grpc)
            _wait_for(running, process)
            with _door(running):
                yield running
        finally:
            process.kill()


def _wait_for(running: BigQuery, process: subprocess.Popen) -> None:
    body = b'{"datasetReference": {"projectId": "tests", "datasetId": "shop"}}'
    for _ in range(600):
        assert process.poll() is None, "bqemulator ended"
        try:
            if running.ask("POST", "/bigquery/v2/projects/tests/datasets", body)[0] == 200:
                return
        except OSError:
            Event().wait(0.1)
    raise AssertionError("bqemulator does not answer")


@contextmanager
def _door(running: BigQuery) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Door,), {"behind": running}))
    server.daemon_threads = True
    running.door = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind: BigQuery

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.pass_on()

    def do_POST(self):
        self.pass_on()

    def pass_on(self):
        behind = self.behind
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        behind.asked.append((self.command, self.path, body, self.headers.get("Authorization", "")))
        fault = behind.faults.popleft() if behind.faults else behind.always
        instead = fault(self.command, self.path) if fault else None
        if instead is None:
            status, content = behind.ask(self.command, self.path, body or None)
        else:
            status, content = instead[0], json.dumps(instead[1]).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def refuses(status: int, reason: str, message: str = "no") -> Fault:
    """An error as BigQuery writes it."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return lambda method, path: (status, {"error": error})
