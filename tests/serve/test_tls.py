"""HTTPS: who speaks what, who is refused, and a certificate that is renewed while everybody goes on asking."""

from __future__ import annotations

import datetime
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.errors import ErrorCodes
from tests.connect.http.conftest import LARGE, Listening, listening
from tests.connect.http.http2_caller import Http2Caller

from drivetrain.connect.http.settings import Tls
from drivetrain.connect.http.tls import Certificate
from drivetrain.core.errors import InvalidInput
from drivetrain.serve.grpc_messages import PACKAGE, SERVICE
from drivetrain.serve.settings import to_json
from drivetrain.store.folders import write_file
from drivetrain.testing.graphs import ROW

from .conftest import Running, Template, running, settings_of, until

SIGNER, SERVER = (
    x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("test authority", "test server")
)
NAMES = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
LIVE = f"/{PACKAGE}.{SERVICE}/ServerLive"


@dataclass(frozen=True)
class Authority:
    """Somebody who signs certificates for this machine, and whom the callers here trust."""

    key: ec.EllipticCurvePrivateKey
    pem: bytes

    @staticmethod
    def made() -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        own = _certificate(SIGNER, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
        return Authority(key, own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def certify(self, password: bytes | None = None) -> tuple[bytes, bytes]:
        """A new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _certificate(SERVER, key.public_key()).add_extension(NAMES, critical=False).sign(self.key, hashes.SHA256())
        )
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        written = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return made.public_bytes(serialization.Encoding.PEM), written

    def trust(self, *protocols: str) -> ssl.SSLContext:
        """How a caller connects who offers these protocols (ALPN)."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        SIGNER, subject, key, x509.random_serial_number(), now - datetime.timedelta(1), now + datetime.timedelta(9)
    )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.made()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> Tls:
    """A certificate and its key."""
    return _write(Tls(tmp_path / "server.pem", tmp_path / "server.key"), *authority.certify())


def _write(files: Tls, certificate: bytes, key: bytes) -> Tls:
    write_file(files.certificate, certificate)
    write_file(files.key, key)
    return files


# --- connections -----------------------------------------------------------------------------------------------


@pytest.fixture
def secure(files: Tls) -> Iterator[Listening]:
    """A listener over TLS, whose callers have to be quick."""
    with listening(Certificate(files, print).context, head_seconds=0.5, max_connections=2, write_seconds=1.0) as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_went_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The loop logs what a protocol lets escape."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("offered", [(), ("http/1.1",), ("spdy/3",)])
def test_who_does_not_offer_http_2_speaks_http_1_1(
    secure: Listening, authority: Authority, offered: tuple[str, ...]
) -> None:
    with socket.create_connection(secure.address) as plain:
        connection = authority.trust(*offered).wrap_socket(plain, server_hostname="localhost")
        with connection:
            connection.sendall(b"GET /here HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
            assert connection.selected_alpn_protocol() in (None, "http/1.1")


def test_who_offers_http_2_speaks_it_in_both_directions(secure: Listening, authority: Authority) -> None:
    body = bytes(range(256)) * 8192
    with Http2Caller(secure.address, tls=authority.trust("h2", "http/1.1")) as caller:
        assert caller.socket.selected_alpn_protocol() == "h2"  # type: ignore[union-attr]  # of a socket with TLS
        large, sent = caller.ask("/large"), caller.begin("POST", "/sent")
        caller.upload(sent, body)
        assert caller.answer(sent).body == b"POST /sent " + body
        assert caller.answer(large).body == bytes(LARGE)


def test_who_is_one_too_many_is_sent_away(secure: Listening, authority: Authority) -> None:
    tls = authority.trust("h2")
    with Http2Caller(secure.address, tls=tls) as first, Http2Caller(secure.address, tls=tls) as second:
        assert first.answer(first.ask("/1")).status == second.answer(second.ask("/2")).status == 200
        with Http2Caller(secure.address, tls=tls) as third:
            third.ask("/3")
            assert third.send().end() is ErrorCodes.ENHANCE_YOUR_CALM
        until(lambda: secure.listener.connections == 2)
        assert first.answer(first.ask("/1")).status == 200


def test_old_versions_of_tls_are_refused(secure: Listening, authority: Authority) -> None:
    def shake(version: ssl.TLSVersion) -> str | None:
        context = authority.trust()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # this test is why they are still there
            context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        plain = socket.create_connection(secure.address)
        with plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
            return connection.version()

    assert [shake(ssl.TLSVersion.TLSv1_2), shake(ssl.TLSVersion.TLSv1_3)] == ["TLSv1.2", "TLSv1.3"]
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|EOF"):  # said by the server, or its way to say it
            shake(old)


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(500)]
)
def test_plain_text_is_cut(secure: Listening, authority: Authority, sent: bytes) -> None:
    with secure.peer() as peer:
        assert b"HTTP" not in peer.send(sent).rest()
    with Http2Caller(secure.address, tls=authority.trust("h2")) as caller:
        assert caller.answer(caller.ask("/next")).status == 200


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_end_is_cut(secure: Listening, begun: bytes) -> None:
    with secure.peer() as peer:
        assert peer.send(begun).closed()


def test_who_does_not_take_the_answer_is_cut(secure: Listening, authority: Authority) -> None:
    with Http2Caller(secure.address, tls=authority.trust("h2"), receive=4096) as caller:
        caller.ask("/stream/endless")
        caller.send()
        until(lambda: secure.handler.written > 0)
        until(lambda: not secure.listener.connections)


# --- certificates ----------------------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_named(files: Tls, authority: Authority, tmp_path: Path) -> None:
    certificate, key = files.certificate, files.key
    _, other = authority.certify()
    write_file(tmp_path / "other.key", other)
    write_file(tmp_path / "hidden.pem", authority.certify(b"secret")[0])
    write_file(tmp_path / "hidden.key", authority.certify(b"secret")[1])
    write_file(tmp_path / "empty", b"")
    for wrong in (
        Tls(tmp_path / "nowhere.pem", key), Tls(certificate, tmp_path / "nowhere.key"), Tls(certificate, certificate),
        Tls(key, key), Tls(certificate, tmp_path / "other.key"), Tls(certificate, tmp_path / "hidden.key"),
        Tls(tmp_path / "empty", tmp_path / "empty"), Tls(tmp_path, key),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            Certificate(wrong, print)
        assert refused.value.code == "certificate_unusable"


def test_what_is_the_matter_is_told_once(files: Tls, authority: Authority) -> None:
    said: list[str] = []
    certificate = Certificate(files, said.append)
    shown = certificate.pem
    renewed, key = authority.certify()
    write_file(files.certificate, renewed)
    for _ in range(3):
        certificate.refresh()
    assert certificate.pem == shown
    assert len(said) == 1
    write_file(files.key, key)
    certificate.refresh()
    assert certificate.pem == (key, renewed)
    files.key.unlink()
    certificate.refresh()
    certificate.refresh()
    assert len(said) == 2
    assert all("the certificate of before stays" in text for text in said)
    assert certificate.pem == (key, renewed)


def test_a_server_whose_certificate_cannot_be_used_does_not_start(template: Template, files: Tls) -> None:
    files.key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    settings = to_json(settings_of(template.home, tls=files))
    done = subprocess.run(
        [sys.executable, "-m", "drivetrain.serve", settings], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "certificate_unusable" in done.stderr
    assert "Traceback" not in done.stderr


# --- a whole server --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(
    template: Template, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Tls]]:
    """A server that speaks HTTPS, and gRPC over TLS."""
    folder = tmp_path_factory.mktemp("secure")
    home = Path(shutil.copytree(template.home, folder / "project"))
    files = _write(Tls(folder / "server.pem", folder / "server.key"), *authority.certify())
    with running(settings_of(home, tls=files, grpc_port=0, head_seconds=0.5)) as found:
        yield found, files


def grpc_live(server: Running, authority: Authority) -> bytes:
    """The answer to a call on a connection of its own."""
    credentials = grpc.ssl_channel_credentials(authority.pem)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(server.said()["grpc"], credentials, options) as channel:
        return bytes(channel.unary_unary(LIVE)(b"", timeout=10))


def shown_at(address: str) -> bytes:
    """The certificate that new connections see."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=10).encode()


def test_all_ways_in_are_open_over_tls(server: tuple[Running, Tls], authority: Authority) -> None:
    running, _ = server
    for newer, spoken in ((False, "HTTP/1.1"), (True, "HTTP/2")):
        with httpx.Client(base_url=running.url, http2=newer, verify=authority.trust()) as client:
            key = {"authorization": f"Bearer {running.key}"}
            answer = client.post("/v1/predict", json={"rows": [ROW]}, headers=key)
            assert (answer.status_code, answer.http_version) == (200, spoken)
            assert client.get("/nowhere").json()["error"]["code"] == "path_unknown"
    assert grpc_live(running, authority) == b"\x08\x01"


def test_grpc_answers_nobody_in_plain_text(server: tuple[Running, Tls]) -> None:
    with grpc.insecure_channel(server[0].said()["grpc"]) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(LIVE)(b"", timeout=5)
    assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "andshake" not in server[0].log.read_text(), "who fails again and again must not fill the log"


def test_a_renewal_is_taken_up_while_the_server_goes_on(server: tuple[Running, Tls], authority: Authority) -> None:
    running, files = server
    before = files.certificate.read_bytes()
    assert shown_at(running.url) == shown_at(running.said()["grpc"]) == before
    renewed, key = authority.certify()
    with Http2Caller(running.address, tls=authority.trust("h2")) as lasting:
        write_file(files.certificate, renewed)  # half of it
        until(lambda: "the certificate of before stays" in running.log.read_text())
        assert shown_at(running.url) == shown_at(running.said()["grpc"]) == before
        write_file(files.key, key)
        until(lambda: shown_at(running.url) == renewed, 5, every=0.05)
        assert shown_at(running.said()["grpc"]) == renewed
        assert grpc_live(running, authority) == b"\x08\x01"
        assert lasting.answer(lasting.ask("/health", method="GET")).status == 200, "who was connected stays connected"
    with Http2Caller(running.address, tls=authority.trust("h2")) as caller:
        assert caller.answer(caller.ask("/health", method="GET")).status == 200
    assert running.log.read_text().count("drivetrain serve: the certificate of before stays") == 1
