"""What a service does to those who ask: faults that pass are waited for, others told; no row is lost or doubled."""

import logging
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic

import pytest
from tests.servers.rest import cut_off, goes_away, hang_up, says, silence, status, trickle
from tests.servers.rest_sources import ids, read, rest_source, some_rows

from drivetrain.connect import retrying
from drivetrain.connect.web_call import place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient


def in_seconds(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(502, body=b"<html>bad gateway</html>"),
        status(503, {"Retry-After": "0"}),
        status(429, {"Retry-After": "0"}),
        status(403, {"Retry-After": "0"}),
        status(429),
        status(408),
        cut_off,
        hang_up,
        says(b'{"items": [{"id": 1'),
        silence(0.5),
        trickle(0.5),
        goes_away(0.2),
    ],
)
def test_a_fault_that_passes_is_waited_for(service, tmp_path, fault):
    service.rows = some_rows(5)
    service.faults.extend([None, fault])
    spec = rest_source(service, "offset", deadline_seconds=20, read_seconds=0.2)
    assert ids(read(spec, tmp_path)[0]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("said", [lambda: "1", lambda: in_seconds(2)])
def test_the_service_says_when_to_come_back(service, tmp_path, said):
    service.rows = some_rows(1)
    service.faults.append(status(429, {"Retry-After": said()}))
    started = monotonic()
    assert len(read(rest_source(service, "all", deadline_seconds=20), tmp_path)[0]) == 1
    assert monotonic() - started > 0.4


def test_coming_back_later_than_the_deadline_is_not_waited_for(service, tmp_path):
    service.faults.append(status(429, {"Retry-After": "3600"}))
    started = monotonic()
    with pytest.raises(Transient, match="429") as caught:
        read(rest_source(service, "all", deadline_seconds=30), tmp_path)
    assert (caught.value.code, caught.value.seconds) == ("web_unavailable", 3600)
    assert monotonic() - started < 10


def test_a_pace_is_kept(service, tmp_path):
    service.rows = some_rows(10)
    started = monotonic()
    assert len(read(rest_source(service, "cursor", requests_per_second=20), tmp_path)[0]) == 10
    assert monotonic() - started >= 4 / 20


@pytest.mark.parametrize(
    ("answer", "family", "code"),
    [
        (status(400), InvalidInput, "web_refused"),
        (status(401), Forbidden, "credentials_refused"),
        (status(403), Forbidden, "credentials_refused"),
        (status(404), NotFound, "web_unknown"),
        (status(410), NotFound, "web_unknown"),
        (status(302, {"Location": "https://login.example.com/?token=hidden"}), InvalidInput, "web_redirected"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(service, tmp_path, answer, family, code):
    service.faults.extend([answer] * 2)
    started = monotonic()
    with pytest.raises(family) as caught:
        read(rest_source(service, "all", deadline_seconds=30), tmp_path)
    assert caught.value.code == code
    assert caught.value.hint
    assert "hidden" not in str(caught.value)
    assert monotonic() - started < 10, "it was tried again"


def test_a_service_that_is_down_is_told_after_the_deadline(service, tmp_path):
    spec = rest_source(service, "all", deadline_seconds=0.3)
    service.stop()
    try:
        with pytest.raises(Transient, match="does not answer") as caught:
            read(spec, tmp_path)
    finally:
        service.start()
    assert caught.value.code == "web_unreachable"
    assert "Connection refused" in caught.value.message
    assert caught.value.where == f"{service.url}/all"


def test_a_slow_answer_is_given_up(service, tmp_path):
    service.faults.append(trickle(5))
    with pytest.raises(Transient, match="too slowly"):
        read(rest_source(service, "all", deadline_seconds=0.3, read_seconds=0.2), tmp_path)


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_service, tmp_path):
    service, ca = tls_service
    service.rows = some_rows(2)
    with pytest.raises(InvalidInput) as caught:
        read(rest_source(service, "all", deadline_seconds=30), tmp_path)
    assert caught.value.code == "certificate_untrusted"
    (tmp_path / "ca.pem").write_bytes(ca)
    assert len(read(rest_source(service, "all", ca="ca.pem"), tmp_path)[0]) == 2
    with pytest.raises(InvalidInput, match="no certificates"):
        read(rest_source(service, "all", ca="missing.pem"), tmp_path)


def test_https_where_there_is_none_is_final(service, tmp_path):
    spec = rest_source(service, "all", deadline_seconds=30)
    with pytest.raises(InvalidInput, match="without TLS") as caught:
        read(spec.model_copy(update={"url": spec.url.replace("http:", "https:")}), tmp_path)
    assert "http://" in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://host", "http://user:pw@host/x", "http://host/x?q=1", "host/x", "http://"])
def test_an_address_that_is_none(service, tmp_path, url):
    with pytest.raises(InvalidInput, match="not the address") as caught:
        read(rest_source(service, "all").model_copy(update={"url": url}), tmp_path)
    assert "pw" not in str(caught.value)


def test_no_log_names_a_query(service, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    monkeypatch.setattr(logging.getLogger("urllib3.connectionpool"), "disabled", False)  # other libraries do that
    service.rows = some_rows(3)
    read(rest_source(service, "cursor", params={"api_key": "hidden"}), tmp_path)
    assert service.asked[0][1]["api_key"] == "hidden"
    assert caplog.records
    assert "hidden" not in caplog.text


def test_an_address_without_what_may_be_secret():
    assert place("https://user:pw@host:8/path?q=1#f") == "https://host:8/path"


@pytest.mark.parametrize("seed", range(5))
def test_random_faults_lose_nothing_and_double_nothing(service, tmp_path, monkeypatch, seed):
    """Forty faults a seed, on every page, while the source grows from load to load."""
    monkeypatch.setattr(retrying, "_LONGEST_SECONDS", 0.01)
    monkeypatch.setattr(retrying, "_FIRST_SECONDS", 0.01)
    chance = random.Random(seed)
    faults = [status(500), status(429, {"Retry-After": "0"}), cut_off, hang_up, says(b'{"items": [{"i')]
    spec = rest_source(service, "since", incremental={"param": "updated_after", "field": "at"}, deadline_seconds=60)
    given, cursor = [], ""
    for step in range(1, 5):
        service.rows += [{"id": 10 * step + n, "at": f"2026-01-01T10:{step:02}:{n // 4:02}Z"} for n in range(10)]
        for _ in range(10):
            service.faults.extend([chance.choice(faults), *[None] * chance.randrange(2)])
        rows, after = read(spec, tmp_path, cursor)
        given, cursor = given + ids(rows), after
        service.faults.clear()
    assert given == [row["id"] for row in service.rows]
