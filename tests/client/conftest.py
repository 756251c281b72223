"""A real HTTP server on 127.0.0.1 that answers what a test has written down, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drivetrain.client import Client, Prediction

KEY = "dtk_not-a-real-key"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes
    peer: int

    @property
    def rows(self) -> list[dict[str, object]]:
        if self.headers["content-type"] == "application/x-ndjson":
            return [json.loads(line) for line in self.body.splitlines()]
        return json.loads(self.body)["rows"]


Part = Callable[[BaseHTTPRequestHandler, Asked], None]


@dataclass
class Scripted:
    """Answers in the order they were written down; then predicts: score = the row's ``x``, id = its place so far."""

    script: deque[Part] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)
    seen: int = 0
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def then(self, status: int, body: object = None, **headers: str) -> Scripted:
        """One more answer; ``retry_after="1"`` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(lambda handler, asked: reply(handler, status, body, named))
        return self

    def then_do(self, *parts: Part) -> Scripted:
        self.script.extend(parts)
        return self

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        asked = Asked(handler.command, handler.path, handler.headers, body, handler.client_address[1])
        self.asked.append(asked)
        part = self.script.popleft() if self.script else self.predict
        part(handler, asked)

    def predict(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        if asked.path.endswith("/labels"):
            reply(handler, 200, {"recorded": len(json.loads(asked.body)["labels"])}, {})
            return
        made = [self.prediction(row["x"]) for row in asked.rows]
        if asked.headers["content-type"] == "application/x-ndjson":
            reply(handler, 200, b"".join(json.dumps(line).encode() + b"\n" for line in made), {})
        else:
            reply(handler, 200, {"release": "release/scripted@1", "predictions": made}, {})

    def prediction(self, score: object) -> dict[str, object]:
        self.seen += 1
        return {"id": f"p{self.seen - 1}", "score": score, "decision": False}


def reply(handler: BaseHTTPRequestHandler, status: int, body: object, headers: dict[str, str]) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def refused(code: str, **more: str) -> dict[str, object]:
    """The body of an error as the prediction server writes it."""
    return {"error": {"code": code, "message": f"{code} it is", "where": "", "hint": "a cure", **more}}


def reset(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
    """Break the connection with a reset instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def collect(stream: Iterable[Prediction], taken: list[Prediction]) -> None:
    """Into a list that keeps what came before an error."""
    for prediction in stream:
        taken.append(prediction)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    scripted: Scripted

    def do_POST(self) -> None:
        self.scripted.handle(self)

    do_GET = do_POST  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    scripted: Scripted

    def shutdown_request(self, request: socket.socket) -> None:
        super().shutdown_request(request)
        self.scripted.hung_up.set()

    def handle_error(self, *_: object) -> None:
        """A caller who went away is part of these tests."""


@pytest.fixture
def start() -> Iterator[Callable[..., Scripted]]:
    """Starts scripted servers: ``start(port=0, tls=context)``."""
    running = []

    def begin(port: int = 0, tls: object = None) -> Scripted:
        scripted = Scripted(scheme="https" if tls else "http")
        server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"scripted": scripted}))
        server.scripted = scripted
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scripted.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread, scripted))
        return scripted

    yield begin
    for server, thread, scripted in running:
        scripted.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def service(start: Callable[..., Scripted]) -> Scripted:
    return start()


@pytest.fixture
def client(service: Scripted) -> Iterator[Client]:
    with Client(service.url, KEY, deadline=10) as made:
        yield made


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
