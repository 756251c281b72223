"""A web server with files in memory, in the ways in which web servers differ."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

USER, PASSWORD = "robot", "sekrit-of-the-web"


@dataclass
class Ways:
    """How the server goes about it; changed by tests."""

    ranges: bool = True
    marks: bool = True
    head: bool = True
    length: str = "told"
    """Or ``chunked``, or ``hidden``: the end of the connection is the end of the file."""
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers, before it goes on as usual."""


class WebFiles(ThreadingHTTPServer):
    """``files`` by path; those below /private ask for USER and PASSWORD, those below /moved lie elsewhere."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.port = self.server_address[1]
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.ways = Ways()


class _Answer(BaseHTTPRequestHandler):
    server: WebFiles
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        if self.server.ways.head:
            self._answer(b"")
        else:
            self._say(405)

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, shown: bytes | None) -> None:
        path, ways = self.path.partition("?")[0], self.server.ways
        self.server.asked.append(f"{self.command} {self.headers.get('Range', '')}".strip())
        if ways.answers:
            self._say(ways.answers.pop(0), {"Retry-After": "0"})
        elif path.startswith("/moved/"):
            self._say(302, {"Location": path.removeprefix("/moved")})
        elif path.startswith("/private/") and self.headers.get("Authorization") != _login():
            self._say(401)
        elif path not in self.server.files:
            self._say(404)
        else:
            self._send(self.server.files[path], shown)

    def _send(self, content: bytes, shown: bytes | None) -> None:
        ways, start = self.server.ways, 0
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'} if ways.marks else {}
        asked = self.headers.get("Range")
        if asked and ways.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        headers |= {
            "told": {"Content-Length": str(len(body))},
            "chunked": {"Transfer-Encoding": "chunked"},
            "hidden": {"Connection": "close"},
        }[ways.length]
        self.send_response(206 if asked and ways.ranges else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if shown is None:
            self._write(body)

    def _write(self, body: bytes) -> None:
        try:
            if self.server.ways.length != "chunked":
                self.wfile.write(body)
                return
            for start in range(0, len(body), 65536):
                piece = body[start : start + 65536]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the caller went away

    def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _login() -> str:
    return "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def web_files() -> Iterator[WebFiles]:
    """The server, on a free port."""
    with WebFiles() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
