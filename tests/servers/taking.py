"""A service over HTTP that takes what is sent, with faults before and after the effect."""

import json
import socket
from abc import ABC, abstractmethod
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit


class Taker(ABC):
    """Subclasses say what they ``answer``; ``faults`` are met one a request, None is a healthy one."""

    def __init__(self):
        self.faults = deque()
        self.asked = []
        self.accepts = lambda headers: headers.get("Authorization") == "Bearer key"
        self.port = 0
        self._lock = Lock()
        self._open = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def answer(self, request):
        """Status, body and headers for a Request."""

    def serve(self, request):
        with self._lock:
            return self.answer(request)

    def start(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (_Handler,), {"taker": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(one)  # it is closed already

    @contextmanager
    def away(self):
        self.stop()
        try:
            yield
        finally:
            self.start()


@contextmanager
def running(taker):
    taker.start()
    try:
        yield taker
    finally:
        taker.stop()


class Request:
    def __init__(self, handler):
        parts = urlsplit(handler.path)
        self.method, self.path, self.headers = handler.command, parts.path, handler.headers
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))

    @property
    def json(self):
        return json.loads(self.body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    taker: Taker

    def setup(self):
        super().setup()
        self.taker._open.add(self.request)

    def finish(self):
        super().finish()
        self.taker._open.discard(self.request)

    def log_message(self, *_):
        pass

    def go(self):
        request = Request(self)
        self.taker.asked.append(request)
        fault = self.taker.faults.popleft() if self.taker.faults else None
        if fault:
            fault(self, lambda: self.taker.serve(request))
        elif request.path != "/token" and not self.taker.accepts(request.headers):
            self.say(401, {"message": f"who are you, {request.headers.get('Authorization')}?"})
        else:
            self.say(*self.taker.serve(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_OPTIONS = go  # noqa: N815 - as the library has it

    def say(self, status, body=None, headers=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, str(text))
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def before(status, headers=None, body=None):
    """A fault without an effect."""
    return lambda handler, act: handler.say(status, body if body is not None else {"message": "fault"}, headers)


def after(status):
    """The effect, and then a fault that does not tell of it."""

    def fault(handler, act):
        act()
        handler.say(status, {"message": "fault"})

    return fault


def lost(handler, act):
    """The effect, and no answer."""
    act()
    handler.close_connection = True


def hang_up(handler, act):
    """Neither an effect nor an answer."""
    handler.close_connection = True
