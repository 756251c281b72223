"""Pages of other origins: none may call unless it is listed; those that are may read whatever comes back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.connect.http.http2_caller import Http2Caller

from drivetrain.testing.graphs import ROW

from .conftest import Running, Template, running, settings_of

PAGE, OTHER = "https://loans.example", "https://elsewhere.example"
PREFLIGHT = {
    "Origin": PAGE, "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}  # fmt: skip


@pytest.fixture(scope="module")
def open_server(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that the pages of two origins may call."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("open") / "project"))
    origins = (PAGE, "http://localhost:3000")
    with running(settings_of(home, cors_origins=origins, max_body_bytes=10_000, body_seconds=0.3)) as found:
        yield found


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


def test_it_is_off_unless_it_is_asked_for(server: Running) -> None:
    asked = server.client.post("/v1/predict", json={"rows": [ROW]}, headers={"Origin": PAGE})
    assert (asked.status_code, cors(asked)) == (200, {})
    preflight = httpx.options(f"{server.url}/v1/predict", headers=PREFLIGHT)
    assert (preflight.status_code, cors(preflight)) == (405, {})
    assert "vary" not in asked.headers


def test_a_listed_page_may_ask_and_read(open_server: Running) -> None:
    preflight = httpx.options(f"{open_server.url}/v1/predict", headers=PREFLIGHT)
    assert preflight.status_code == 204, "without a key: browsers send none"
    assert cors(preflight) == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type, x-api-key, x-deadline-ms",
        "access-control-max-age": "600",
    }
    asked = open_server.client.post("/v1/predict", json={"rows": [ROW]}, headers={"Origin": PAGE})
    assert asked.status_code == 200
    assert cors(asked) == {
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": "retry-after, x-drivetrain-release",
    }
    assert asked.headers["vary"] == preflight.headers["vary"] == "origin"
    assert (
        open_server.client.get("/health", headers={"Origin": "http://localhost:3000"}).headers[
            "access-control-allow-origin"
        ]
        == "http://localhost:3000"
    )


@pytest.mark.parametrize("origin", [OTHER, "null", "*", "", PAGE.upper(), f"{PAGE}/", f"{PAGE}, {OTHER}", None])
def test_no_other_page_may(open_server: Running, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    asked = open_server.client.post("/v1/predict", json={"rows": [ROW]}, headers=headers)
    assert (asked.status_code, cors(asked), asked.headers["vary"]) == (200, {}, "origin")
    preflight = httpx.options(f"{open_server.url}/v1/predict", headers={**PREFLIGHT, "Origin": origin or "?"})
    assert (preflight.status_code, cors(preflight)) == (204, {})


def test_errors_can_be_read_too(open_server: Running) -> None:
    def ask(path: str, **said: object) -> httpx.Response:
        return open_server.client.post(path, headers={"Origin": PAGE}, **said)  # type: ignore[arg-type]  # of httpx

    answers = [
        ask("/nowhere"),
        ask("/v1/predict", json={"rows": [{"age": "x"}]}),
        ask("/v1/predict", content=bytes(20_000)),
        ask("/v1/predict", content=(bytes(5000) for _ in range(4))),
        httpx.post(f"{open_server.url}/v1/predict", headers={"Origin": PAGE}),
    ]
    assert [answer.status_code for answer in answers] == [404, 400, 413, 413, 401]
    assert {answer.headers.get("access-control-allow-origin") for answer in answers} == {PAGE}


def test_errors_over_http_2_can_be_read_too(open_server: Running) -> None:
    key = ("authorization", f"Bearer {open_server.key}")
    with Http2Caller(open_server.address) as caller:
        slow = caller.begin("POST", "/v1/predict", ("origin", PAGE), key)
        preflight = caller.ask(
            "/v1/predict", b"", *[(name.lower(), value) for name, value in PREFLIGHT.items()], method="OPTIONS"
        )
        assert caller.answer(preflight).headers["access-control-allow-origin"] == PAGE
        heard = caller.answer(slow)
        assert (heard.status, heard.headers["access-control-allow-origin"]) == (408, PAGE)


def test_an_options_that_is_no_preflight_is_no_method_of_ours(open_server: Running) -> None:
    answer = httpx.options(f"{open_server.url}/v1/predict", headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (405, PAGE)
