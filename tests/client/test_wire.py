"""One request on the wire: slow and broken answers, HTTPS, and addresses that do not lead anywhere."""

import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.client.conftest import KEY

from drivetrain.client import Client
from drivetrain.client.wire import Body, Clock
from drivetrain.core.errors import InvalidInput, Transient

ROW = [{"x": 0.5}]
SOON = 5
"""Seconds: a deadline of 0.3 s is over by then on a busy machine too; the client's own is 10."""


@pytest.fixture
def over(service):
    """Waits until the test is over."""

    def wait(handler, asked):
        service.over.wait(20)
        handler.close_connection = True

    return wait


def test_a_silent_service_costs_the_deadline_and_no_more(client, service, over):
    service.then_do(over)
    started = time.monotonic()
    with pytest.raises(Transient) as caught:
        client.predict(ROW, deadline=0.3)
    assert 0.3 <= time.monotonic() - started < SOON
    assert caught.value.code == "answer_lost"
    assert "timed out" in caught.value.message.lower()
    assert len(service.asked) == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("pace", ["stalls", "drips"])
def test_a_slow_body_costs_the_deadline_and_no_more(client, service, framing, pace):
    def slow(handler, asked):
        handler.send_response(200)
        if framing == "length":
            handler.send_header("content-length", "1000")
        elif framing == "chunked":
            handler.send_header("transfer-encoding", "chunked")
        else:
            handler.send_header("connection", "close")
        handler.end_headers()
        part = b"1\r\n \r\n" if framing == "chunked" else b" "
        handler.wfile.write(part)
        while not service.over.wait(0.05):
            if pace == "drips":
                handler.wfile.write(part)
        handler.close_connection = True

    service.then_do(slow)
    started = time.monotonic()
    with pytest.raises(Transient) as caught:
        client.predict(ROW, deadline=0.3)
    assert time.monotonic() - started < SOON
    assert caught.value.code == "answer_lost"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_answer_that_breaks_off_is_lost(client, service, framing):
    def broken(handler, asked):
        handler.send_response(200)
        name, value = ("content-length", "1000") if framing == "length" else ("transfer-encoding", "chunked")
        handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b'{"release": "r", ' if framing == "length" else b'5\r\n{"rel\r\n')
        handler.close_connection = True

    service.then_do(broken)
    with pytest.raises(Transient) as caught:
        client.predict(ROW)
    assert caught.value.code == "answer_lost"
    assert len(service.asked) == 1
    assert client.predict(ROW).predictions[0].score == 0.5


def test_no_time_is_no_request(client, service):
    with pytest.raises(Transient) as caught:
        client.predict(ROW, deadline=0)
    assert caught.value.code == "deadline_over"
    assert service.asked == []


def test_a_host_that_nobody_knows_is_transient():
    with Client("http://nobody.invalid", KEY, retries=0, deadline=20) as client, pytest.raises(Transient) as caught:
        client.predict(ROW)
    assert caught.value.code == "service_unreachable"


def test_a_body_knows_whether_it_was_asked_for():
    body = Body(b"rows")
    parts = iter(body)
    assert not body.asked
    assert next(parts) == b"rows"
    assert body.asked


def test_a_clock_runs_out():
    assert 9 < Clock(10).left <= 10
    assert Clock(0).left == 0
    assert 0 <= Clock(10).spent < 1


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate of its own for 127.0.0.1, as two PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "drivetrain test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(pem))
    return tmp_path / "certificate.pem"


@pytest.fixture
def secure(start, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return start(tls=context)


def test_https_with_an_authority_of_ones_own(secure, certificate):
    with Client(secure.url, KEY, ca=certificate) as client:
        assert client.predict(ROW).predictions[0].score == 0.5
    assert secure.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_certificate_that_nobody_vouches_for_ends_it_at_once(secure):
    with Client(secure.url, KEY) as client, pytest.raises(InvalidInput) as caught:
        client.predict(ROW)
    assert caught.value.code == "certificate_untrusted"
    assert secure.asked == []


def test_authorities_that_cannot_be_read_are_named(tmp_path):
    for path in (tmp_path / "absent.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").write_text("")
        with pytest.raises(InvalidInput) as caught:
            Client("https://127.0.0.1:9", KEY, ca=path)
        assert (caught.value.code, caught.value.where) == ("ca_unreadable", str(path))


def test_plain_text_where_https_is_expected_is_transient_and_was_not_taken(service):
    with Client(service.url.replace("http:", "https:"), KEY, retries=1) as client, pytest.raises(Transient) as caught:
        client.predict(ROW)
    assert caught.value.code == "service_unreachable"
    assert "tried 2 times" in caught.value.message
