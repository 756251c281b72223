"""The HTTP door: who passes, what is refused, and that garbage never makes a 5xx."""

import json
import socket
from collections.abc import Callable

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivetrain.testing.graphs import ROW

from .conftest import Running, Start

PREDICT = json.dumps({"rows": [ROW]}).encode()


def error(response: httpx.Response) -> dict[str, str]:
    found: dict[str, str] = response.json()["error"]
    assert set(found) == {"code", "message", "where", "hint"}
    assert found["message"]
    assert found["hint"]
    return found


def raw(server: Running, content: bytes) -> bytes:
    """What comes back on a plain connection until the server closes it or has said all."""
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"])
def test_health_asks_for_no_key(server: Running, path: str) -> None:
    answer = server.anyone.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/labels", "/v2/models/loans/infer"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer dt_wrong"}, {"X-API-Key": ""}])
def test_everything_else_asks_for_a_key(server: Running, path: str, headers: dict[str, str]) -> None:
    answer = server.anyone.post(path, json={"rows": [ROW]}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["hint" if path.startswith("/v2") else "error"]


@pytest.mark.parametrize("path", ["/metrics", "/v2", "/v2/models/loans"])
def test_reading_asks_for_a_key_too(server: Running, path: str) -> None:
    assert server.anyone.get(path).status_code == 401
    assert server.client.get(path).status_code == 200


def test_the_key_may_stand_in_either_header(server: Running) -> None:
    key = server.client.headers["authorization"].removeprefix("Bearer ")
    assert server.anyone.post("/v1/predict", json={"rows": [ROW]}, headers={"X-API-Key": key}).status_code == 200


def test_an_unknown_path_is_404_with_the_nearest_one(server: Running) -> None:
    answer = server.client.post("/v1/predit", content=PREDICT)
    assert answer.status_code == 404
    assert error(answer)["hint"] == "did you mean /v1/predict?"


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", "/v1/predict", "POST"), ("DELETE", "/health", "GET")])
def test_another_method_is_405(server: Running, method: str, path: str, allowed: str) -> None:
    answer = server.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert error(answer)["code"] == "method_unknown"


def test_head_is_answered_as_get_without_a_body(server: Running) -> None:
    answer = server.client.head("/health")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("kind", ["text/csv", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_another_media_type_is_415(server: Running, kind: str) -> None:
    answer = server.client.post("/v1/predict", content=PREDICT, headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "application/json" in error(answer)["hint"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_written_in_several_ways(server: Running, kind: str) -> None:
    answer = server.client.post("/v1/predict", content=PREDICT, headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(server: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 10000000\r\n\r\n"
    answer = raw(server, head % server.client.headers["authorization"].encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer
    whole = server.client.post("/v1/predict", content=b" " * 10_000_000, headers={"Content-Type": "application/json"})
    assert whole.status_code == 413


def test_a_body_without_a_length_is_measured_as_it_comes(server: Running) -> None:
    def parts(size: int) -> Callable[[], object]:
        return lambda: (b" " * 100_000 for _ in range(size))

    small = server.client.post("/v1/predict", content=iter([PREDICT[:9], PREDICT[9:]]))
    assert small.status_code == 200
    large = server.client.post("/v1/predict", content=parts(100)())
    assert (large.status_code, error(large)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "content",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)  # fmt: skip
def test_malformed_requests_are_refused_by_the_http_server(server: Running, content: bytes) -> None:
    answer = raw(server, content)
    assert answer.startswith(b"HTTP/1.1 4"), answer[:100]


def test_a_head_without_end_is_cut_off(server: Running) -> None:
    try:
        answer = raw(server, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5_000_000 + b"\r\n\r\n")
    except OSError:  # the connection was reset before all of it was sent
        answer = b""
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer
    assert server.anyone.get("/health").status_code == 200


def test_a_caller_who_hangs_up_leaves_no_trace_in_the_log(server: Running) -> None:
    before = server.log.read_bytes()
    key = server.client.headers["authorization"].encode()
    raw(server, b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 90\r\n\r\n{" % key)
    assert server.predict(ROW).status_code == 200
    assert server.log.read_bytes() == before


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "rows", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=200)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.lists(st.dictionaries(st.sampled_from([*ROW, "case", "zz"]), anything, max_size=4), max_size=3).map(
        lambda rows: json.dumps({"rows": rows}).encode()
    )
    | st.integers(0, len(PREDICT)).map(lambda end: PREDICT[:end])
    | st.sampled_from(
        [b"[" * 200_000, b'{"rows":[' * 50_000, b'{"rows":[{"age":' + b"9" * 5000 + b"}]}", b"\xef\xbb\xbf{}"]
    )
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/v1/predict", "/v1/labels"]), bodies)
def test_garbage_gives_a_clear_error_and_never_a_5xx(server: Running, path: str, content: bytes) -> None:
    answer = server.client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 413), answer.text
    if answer.status_code != 200:
        assert "Traceback" not in error(answer)["message"]


def test_who_asks_too_often_is_told_when_to_come_back(start: Start) -> None:
    server = start(requests_per_second=2)
    answers = [server.predict(ROW) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert error(answers[-1])["code"] == "rate_limited"
    assert server.anyone.get("/health").status_code == 200


def test_limits_are_settings(start: Start) -> None:
    server = start(max_rows=2, max_body_bytes=1024, max_explained_rows=1, max_nesting=3, max_header_bytes=2000)
    assert server.predict(ROW, ROW).status_code == 200
    assert error(server.predict(ROW, ROW, ROW))["code"] == "rows_too_many"
    assert error(server.predict(ROW, ROW, explain=True))["code"] == "explained_rows_too_many"
    assert error(server.predict({**ROW, "city": "x" * 1024}))["code"] == "body_too_large"
    assert error(server.predict({**ROW, "city": [[1]]}))["code"] == "nesting_too_deep"
    assert error(server.client.get("/metrics", headers={"X": "x" * 2000}))["code"] == "head_too_large"


def test_a_deadline_that_means_nothing_is_refused(server: Running) -> None:
    for said in ("soon", "-1", "1.5", "1e3", "", "9999999999"):
        answer = server.client.post("/v1/predict", json={"rows": [ROW]}, headers={"X-Deadline-Ms": said})
        assert (answer.status_code, error(answer)["where"]) == (400, "X-Deadline-Ms")
    in_time = server.client.post("/v1/predict", json={"rows": [ROW]}, headers={"X-Deadline-Ms": "999999999"})
    assert in_time.status_code == 200


def test_who_has_no_time_is_told_so_at_once(server: Running) -> None:
    answer = server.client.post("/v1/predict", json={"rows": [ROW]}, headers={"X-Deadline-Ms": "0"})
    assert (answer.status_code, error(answer)["code"]) == (503, "deadline_passed")
    assert int(answer.headers["retry-after"]) >= 1
    long = server.client.post("/v1/predict", json={"rows": [{"age": 40}] * 5000}, headers={"X-Deadline-Ms": "0"})
    assert (long.status_code, error(long)["code"]) == (503, "deadline_passed")


def test_more_connections_than_allowed_are_told_to_come_back(start: Start) -> None:
    server = start(max_connections=1)
    assert server.client.get("/health").status_code == 200  # stays connected
    answer = server.anyone.get("/health")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert error(answer)["code"] == "connections_too_many"


def test_pages_of_other_origins_are_not_let_in_by_default(server: Running) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = server.anyone.options("/v1/predict", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
