"""A service over HTTP with every way of paging, and with faults on request."""

import base64
import json
import socket
import ssl
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from time import monotonic
from urllib.parse import parse_qs, unquote_plus, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGE = 2


class Service:
    """``rows`` at every address; ``faults`` are met one a request, None is a healthy answer."""

    def __init__(self, certificate=None):
        self.certificate = certificate
        self.rows = []
        self.faults = deque()
        self.asked = []
        self.accepts = lambda headers, query: True
        self.gone = False
        self.field = "at"
        self.token_life = 3600
        self.tokens = 0
        self.extra = {}
        self.lock = Lock()
        self.server = None
        self.open_sockets = set()
        self.port = 0

    @property
    def url(self):
        return f"https://localhost:{self.port}" if self.certificate else f"http://127.0.0.1:{self.port}"

    def start(self):
        handler = type("Bound", (_Handler,), {"service": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        for one in list(self.open_sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.open_sockets.discard(one)  # it is closed already

    def until(self, asked, seconds=20):
        """Wait until so many questions were asked."""
        over = monotonic() + seconds
        while len(self.asked) < asked and monotonic() < over:
            Event().wait(0.002)

    def away(self, seconds):
        """Down now, and back after so many seconds."""

        def go():
            self.stop()
            Event().wait(seconds)
            self.start()

        self.leaving = Thread(target=go, daemon=True)
        self.leaving.start()


@contextmanager
def rest_service(certificate=None):
    service = Service(certificate)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def own_certificate(folder):
    """The path of a certificate for localhost that vouches for itself; its key lies beside it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "own.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "own.pem").write_bytes(certificate.public_bytes(pem))
    return folder / "own.pem"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def setup(self):
        super().setup()
        self.service.open_sockets.add(self.request)

    def finish(self):
        super().finish()
        self.service.open_sockets.discard(self.request)

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        with self.service.lock:
            self.service.asked.append((self.path, form, dict(self.headers)))
            fault = self.service.faults.popleft() if self.service.faults else None
        if fault:
            fault(self)
            return
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        client = (
            unquote_plus(base64.b64decode(basic).decode())
            if basic
            else f"{form.get('client_id')}:{form.get('client_secret')}"
        )
        if client != "robot:s3cret+":
            self.answer(401, {"error": "invalid_client", "you_sent": client})
            return
        self.service.tokens += 1
        self.answer(200, {"access_token": f"token-{self.service.tokens}", "expires_in": self.service.token_life})

    def do_GET(self):
        path, query = urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        with self.service.lock:
            self.service.asked.append((path, query, dict(self.headers)))
            fault = self.service.faults.popleft() if self.service.faults else None
        if fault:
            fault(self)
        elif not self.service.accepts(self.headers, query):
            self.answer(401, {"message": f"bad credentials: {self.path} {self.headers.get('Authorization')}"})
        else:
            way = None if self.service.gone else getattr(self, f"give_{path.rpartition('/')[2]}", None)
            way(query) if way else self.answer(404, {"message": "no such thing"})

    def answer(self, status, value, headers=None, media="application/json"):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": media, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def part(self, start, size=PAGE):
        return self.service.rows[start : start + size]

    def give_all(self, query):
        self.answer(200, self.service.rows)

    def give_nested(self, query):
        self.answer(200, {"data": {"items": self.service.rows}, **self.service.extra})

    def give_page(self, query):
        number, size = int(query.get("page", 1)), int(query.get("per_page", PAGE))
        rows = self.part((number - 1) * size, size)
        if not rows and number > 1 and query.get("strict"):
            self.answer(404, {"detail": "Invalid page."})
            return
        more = number * size < len(self.service.rows)
        self.answer(200, {"items": rows, "total": len(self.service.rows), "more": more, **self.service.extra})

    def give_offset(self, query):  # it gives no more than PAGE, whatever is asked for
        self.answer(200, {"items": self.part(int(query["offset"]), min(PAGE, int(query.get("limit", PAGE))))})

    def give_cursor(self, query):
        start = int(query.get("cursor", "at-0")[3:])
        more = start + PAGE < len(self.service.rows)
        body = {"items": self.part(start), "meta": {"next": f"at-{start + PAGE}" if more else None}}
        self.answer(200, {**body, **self.service.extra})

    def give_token(self, query):
        start = int(query.get("t") or self.headers.get("X-Continue") or 0)
        more = start + PAGE < len(self.service.rows)
        self.answer(200, self.part(start), {"X-Next": str(start + PAGE)} if more else {})

    def give_link(self, query):
        start = int(query.get("from", 0))
        link = f'</link?from=0>; rel="first", </link?from={start + PAGE}>; title="a; b"; rel="next last"'
        self.answer(200, self.part(start), {"Link": link} if start + PAGE < len(self.service.rows) else {})

    def give_next_url(self, query):
        start = int(query.get("from", 0))
        more = start + PAGE < len(self.service.rows)
        url = f"{self.service.url}/next_url?from={start + PAGE}" if more else None
        self.answer(200, {"items": self.part(start), "next": url, **self.service.extra})

    def give_since(self, query):
        """Rows whose field is at or after what is asked, in the order of the rows."""
        field, after = self.service.field, query.get("updated_after")
        read = str if not self.service.rows or isinstance(self.service.rows[0].get(field), str) else float
        found = [row for row in self.service.rows if after is None or read(row[field]) >= read(after)]
        start = int(query.get("offset", 0))
        self.answer(200, {"items": found[start : start + PAGE]})


def status(code, headers=None, body=None):
    return lambda handler: handler.answer(code, body if body is not None else {"message": "fault"}, headers)


def says(body, media="application/json", headers=None):
    return lambda handler: handler.answer(200, body, headers, media)


def cut_off(handler):
    """Half an answer, and the end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"items": [{"id": 1')
    handler.close_connection = True


def hang_up(handler):
    """No answer at all."""
    handler.close_connection = True


def silence(seconds):
    def fault(handler):
        Event().wait(seconds)
        handler.close_connection = True

    return fault


def trickle(seconds):
    """A byte now and then: never silent for long, never done."""

    def fault(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        over = Event()
        for _ in range(int(seconds / 0.02)):
            over.wait(0.02)
            try:
                handler.wfile.write(b" ")
            except OSError:
                break
        handler.close_connection = True

    return fault


def goes_away(seconds):
    """Hangs up, is down, and comes back."""

    def fault(handler):
        handler.close_connection = True
        handler.service.away(seconds)

    return fault
