"""HTTP/2 as callers of a whole server meet it: an ordinary client, streams of rows, and the end by SIGTERM."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from h2.errors import ErrorCodes
from tests.connect.http.http2_caller import Http2Caller

from drivetrain.testing.graphs import ROW

from .conftest import Running, Start, Template, lake, running, settings_of, until

NDJSON = ("content-type", "application/x-ndjson")


@pytest.fixture(scope="module")
def server(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose callers have to be quick."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("http2") / "project"))
    with running(settings_of(home, max_body_bytes=1_000_000, body_seconds=0.6, deadline_seconds=5.0)) as found:
        yield found
        assert found.log.read_text() == ""


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx.Client]:
    """An ordinary client that speaks nothing but HTTP/2."""
    headers = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, headers=headers, http1=False, http2=True, timeout=20) as found:
        yield found


def key_of(server: Running) -> tuple[str, str]:
    return ("authorization", f"Bearer {server.key}")


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_answers_are_those_of_http_1_1(server: Running, client: httpx.Client) -> None:
    newer, older = client.post("/v1/predict", json={"rows": [ROW, {"age": 60}]}), server.predict(ROW, {"age": 60})
    assert (newer.http_version, older.http_version) == ("HTTP/2", "HTTP/1.1")
    assert newer.headers["x-drivetrain-release"] == older.headers["x-drivetrain-release"]
    without_ids = [
        [{**one, "id": ""} for one in answer.json()["predictions"]] for answer in (newer, older)
    ]  # fmt: skip
    assert without_ids[0] == without_ids[1]


async def ask_side_by_side(server: Running, ages: range) -> list[float]:
    """Over one connection, by one thread: the client's own state is not made for several."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, http1=False, http2=True, timeout=20) as caller:
        asked = [caller.post("/v1/predict", json={"rows": [{"age": age}]}) for age in ages]
        return [answer.json()["predictions"][0]["score"] for answer in await asyncio.gather(*asked)]


def test_callers_side_by_side_are_each_given_their_own_answer(server: Running) -> None:
    scores = asyncio.run(ask_side_by_side(server, range(18, 98)))
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 80


def test_errors_are_told_as_ever(server: Running, client: httpx.Client) -> None:
    answers = {
        "path_unknown": client.get("/nowhere"),
        "method_unknown": client.get("/v1/predict"),
        "json_invalid": client.post("/v1/predict", content=b"{"),
        "media_type_unknown": client.post("/v1/predict", content=b"", headers={"content-type": "text/plain"}),
        "key_missing": client.post("/v1/predict", json={}, headers={"authorization": ""}),
        "body_too_large": client.post("/v1/predict", content=bytes(2_000_000)),
        "head_too_large": client.get("/health", headers={"x-long": "v" * 20_000}),
    }
    statuses = [404, 405, 400, 415, 401, 413, 431]
    assert [answer.status_code for answer in answers.values()] == statuses
    codes = [answer.json()["error"]["code"] for answer in answers.values()]
    assert codes[:4] == list(answers)[:4]
    assert codes[5:] == list(answers)[5:]
    assert client.head("/health").headers["content-length"] == str(len(client.get("/health").content))


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/metrics", "/health", "/v2", "/v2/models/loans", "/v1/deployment"]
)
def test_every_page_can_be_had(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_large_bodies_and_answers_pass_the_windows(client: httpx.Client) -> None:
    rows = [{"age": 18 + at % 80} for at in range(9000)]
    answer = client.post("/v1/predict", json={"rows": rows})
    assert len(answer.content) > 700_000
    assert len(answer.json()["predictions"]) == 9000


def test_a_stream_of_rows_is_answered_while_it_comes(server: Running) -> None:
    with Http2Caller(server.address) as caller:
        number = caller.begin("POST", "/v1/predict", NDJSON, key_of(server))
        for turn in range(5):
            caller.h2.send_data(number, lines({"age": 20 + turn}))
            caller.send().until(lambda: caller.heard[number].body.count(b"\n") == turn + 1)  # noqa: B023 - at once
        caller.h2.end_stream(number)
        told = [json.loads(line) for line in caller.answer(number).body.splitlines()]
    assert [one["score"] for one in told] == sorted((one["score"] for one in told), reverse=True)
    assert caller.heard[number].headers["x-drivetrain-release"].startswith("release/")


def test_many_rows_stream_through(server: Running) -> None:
    body = lines(*[{"age": 18 + at % 80, "city": "Bern"} for at in range(30_000)])
    with Http2Caller(server.address) as caller:
        number = caller.begin("POST", "/v1/predict", NDJSON, key_of(server))
        caller.upload(number, body)
        heard = caller.answer(number)
    assert (heard.status, heard.body.count(b"\n")) == (200, 30_000)


def test_a_stream_that_stalls_is_told_so_and_others_go_on(server: Running) -> None:
    with Http2Caller(server.address) as caller:
        number = caller.begin("POST", "/v1/predict", NDJSON, key_of(server))
        caller.h2.send_data(number, lines({"age": 20}) + b'{"age"')
        heard = caller.answer(number)
        assert json.loads(heard.body.splitlines()[-1])["error"]["code"] == "request_too_slow"
        assert caller.answer(caller.ask("/health", method="GET")).status == 200


def test_predictions_that_were_taken_back_do_no_harm(server: Running) -> None:
    body = json.dumps({"rows": [ROW]}).encode()
    with Http2Caller(server.address) as caller:
        for _ in range(200):
            number = caller.ask("/v1/predict", body, key_of(server))
            caller.send()
            caller.h2.reset_stream(number, ErrorCodes.CANCEL)
            caller.listen(wait=False)
        assert caller.answer(caller.ask("/v1/predict", body, key_of(server))).status == 200
    until(lambda: server.metrics()[("drivetrain_connections", "(server)")] <= 3)


def test_a_sigterm_brings_what_was_accepted_and_takes_nothing_new(start: Start) -> None:
    server = start(drain_seconds=5.0)
    with Http2Caller(server.address) as caller:
        number = caller.begin("POST", "/v1/predict", NDJSON, key_of(server))
        caller.h2.send_data(number, lines({"age": 20}))
        caller.send().until(lambda: caller.heard[number].body)
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(server.stop)

            def refused() -> bool:
                asked = caller.ask("/health", method="GET")
                return caller.answer(asked).reset is ErrorCodes.REFUSED_STREAM

            until(refused)
            caller.h2.send_data(number, lines({"age": 30}), end_stream=True)
            heard = caller.answer(number)
            assert caller.end() is ErrorCodes.NO_ERROR
            assert ending.result() == 0
    ids = [json.loads(line)["id"] for line in heard.body.splitlines()]
    assert ids == [row["prediction_id"] for row in lake(server.home, "predictions")]
    assert server.log.read_text() == ""
