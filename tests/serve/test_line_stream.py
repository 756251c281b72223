"""Streams of NDJSON: real servers, real sockets, callers who are slow, wrong, or gone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.serve.line_stream import LONGEST_LINE, TOGETHER, Lines
from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.graphs import NO_SCORE, ROW, as_json, draw, expected_score
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, Start, Template, lake, running, settings_of, until
from .duplex import NDJSON, Duplex, resident

ROWS = draw(5000, seed=7)
LINES = [json.dumps(row).encode() + b"\n" for row in as_json(ROWS)]
SCORES = np.array([expected_score(row) for row in ROWS])
LONG = 200_000
HEADERS = {"content-type": NDJSON}


def stream(server: Running, content: bytes, **headers: str) -> httpx.Response:
    return server.client.post("/v1/predict", content=content, headers={**HEADERS, **headers})


def told(answer: bytes | httpx.Response) -> list[dict[str, object]]:
    content = answer if isinstance(answer, bytes) else answer.content
    return [json.loads(line) for line in content.splitlines()]


def failure(answer: bytes | httpx.Response) -> dict[str, object]:
    (error,) = told(answer)[-1].values()
    assert isinstance(error, dict)
    return error


# --- what is answered ----------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=8).map(lambda text: text.replace(b"\n", b" ")), max_size=8), st.data())
def test_lines_are_the_same_wherever_the_parts_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    text = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    reader, found = Lines(), list[bytes]()
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += [line for some in reader.feed(text[start:end]) for line in some]
    assert found + reader.last() == [line for line in lines if line.strip()]


def test_a_line_for_each_row_in_order(server: Running, template: Template) -> None:
    answer = stream(server, b"".join(LINES))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NDJSON
    assert answer.headers["x-drivetrain-release"] == str(template.good.ref)
    lines = told(answer)
    assert [list(line) for line in lines] == [["id", "score", "decision"]] * len(ROWS)
    assert np.allclose([line["score"] for line in lines], SCORES, rtol=0, atol=1e-12)
    assert [line["decision"] for line in lines] == (SCORES >= 0.5).tolist()
    ids = [line["id"] for line in lines]
    assert ids == sorted(set(ids))


def test_what_json_answers_a_stream_answers(server: Running) -> None:
    whole = server.predict(*as_json(ROWS[:50])).json()["predictions"]
    assert [line["score"] for line in told(stream(server, b"".join(LINES[:50])))] == [one["score"] for one in whole]


@pytest.mark.parametrize("content", [LINES[0].strip(), b"\n\r\n" + LINES[0][:-1] + b"\r\n  \n", LINES[0]])
def test_ends_of_lines_may_be_written_in_several_ways(server: Running, content: bytes) -> None:
    (line,) = told(stream(server, content))
    assert line["score"] == pytest.approx(SCORES[0])


def test_integers_may_be_written_as_pandas_does_and_the_entity_is_recorded(start: Start) -> None:
    server = start()
    rows = [{**ROW, "age": 25.0, "case": "c-1"}, ROW, {**ROW, "case": 7}]
    lines = told(stream(server, b"\n".join(json.dumps(row).encode() for row in rows)))
    assert len({line["score"] for line in lines}) == 1
    assert server.stop() == 0
    recorded = {row["prediction_id"]: row["entity"] for row in lake(server.home, "predictions")}
    assert [recorded[line["id"]] or "" for line in lines] == ["c-1", "", "7"]


def test_over_http2_side_by_side_with_short_requests(server: Running) -> None:
    headers = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, http1=False, http2=True, headers=headers, timeout=30) as client:
        with ThreadPoolExecutor(4) as pool:
            content = b"".join(LINES[:600])
            streams = [pool.submit(client.post, "/v1/predict", content=content, headers=HEADERS) for _ in range(3)]
            short = client.post("/v1/predict", json={"rows": as_json(ROWS[:1])})
            answers = [found.result() for found in streams]
        assert short.http_version == "HTTP/2"
        assert short.json()["predictions"][0]["score"] == pytest.approx(SCORES[0])
        for answer in answers:
            assert np.allclose([line["score"] for line in told(answer)], SCORES[:600])


# --- any length, in bounded memory ---------------------------------------------------------------------------------


def long_stream() -> Iterator[bytes]:
    block = b"".join(LINES)
    for _ in range(LONG // len(LINES)):
        yield block


def test_a_long_stream_in_flat_memory_while_others_are_answered(server: Running) -> None:
    (worker,) = server.workers()
    stream(server, b"".join(LINES))  # what is loaded at first use is loaded
    before, most, rows, waits = resident(worker), 0, [0, 0], list[float]()
    with Duplex(server) as one, Duplex(server) as two, ThreadPoolExecutor(2) as pool:

        def read(caller: Duplex, number: int) -> None:
            for part in caller.send_meanwhile(long_stream()).parts():
                rows[number] += part.count(b"\n")

        reading = [pool.submit(read, caller, number) for number, caller in enumerate((one, two))]
        while not all(each.done() for each in reading):
            began = time.perf_counter()
            assert server.predict(ROW).status_code == 200
            waits.append(time.perf_counter() - began)
            most = max(most, resident(worker))
        for each in reading:
            each.result()
        assert one.whole
        assert two.whole
    assert rows == [LONG, LONG]
    assert most - before < 48 * 1024 * 1024, "a stream is not held in memory"
    assert len(waits) > 20
    assert sorted(waits)[len(waits) // 2] < 0.25, "short requests pass by"


def test_who_does_not_read_is_not_read_from(server: Running) -> None:
    (worker,) = server.workers()
    before = resident(worker)
    with Duplex(server, buffer=16 * 1024) as slow:
        slow.send_meanwhile(long_stream())
        sent = -1

        def stands_still() -> bool:
            nonlocal sent
            sent, last = slow.sent, sent
            return sent == last > 0

        until(stands_still, every=0.5)
        assert slow.sent < LONG * len(LINES[0]) / 2
        assert server.predict(ROW).status_code == 200
        assert resident(worker) - before < 32 * 1024 * 1024
        rows = sum(part.count(b"\n") for part in slow.parts())
    assert rows == LONG


def test_each_row_is_answered_before_the_next_is_sent(server: Running) -> None:
    with Duplex(server) as caller:
        answers = caller.parts()
        for line, score in zip(LINES[:5], SCORES, strict=False):
            caller.send(line[:10], line[10:])
            (found,) = told(next(answers))
            assert found["score"] == pytest.approx(score)
        assert list(caller.finish().parts()) == []
        assert caller.whole


def test_who_hangs_up_in_the_middle_leaves_nothing_behind(server: Running) -> None:
    before = server.metrics()[("drivetrain_connections", "(server)")]
    with Duplex(server) as caller:
        caller.send_meanwhile(long_stream())
        next(caller.parts())
    until(lambda: server.metrics()[("drivetrain_connections", "(server)")] <= before)
    assert server.predict(ROW).status_code == 200


def test_who_stops_in_the_middle_is_told(start: Start) -> None:
    server = start(body_seconds=0.5)
    with Duplex(server) as caller:
        assert len(told(next(caller.send(LINES[0]).parts()))) == 1
        assert failure(caller.answer())["status"] == 408
        assert caller.whole
    with Duplex(server) as caller:
        assert failure(caller.send(b"{").answer())["code"] == "request_too_slow"
        assert caller.status == 408


# --- what is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "where"),
    [
        (b'{"age": "old"}', "field_type", ".age"),
        (b'{"aeg": 3}', "field_unknown", ".aeg"),
        (b"{}", "field_missing", ".age"),
        (b'{"age": 25.5}', "field_type", ".age"),
        (b'{"age": 25, "case": ""}', "entity_invalid", ".case"),
        (b"[1]", "field_type", ""),
        (b'{"age": 25} {"age": 25}', "json_invalid", ""),
        (b'{"age": 25', "json_invalid", ""),
        (b"\xff", "json_invalid", ""),
        (b"[" * 2000, "nesting_too_deep", ""),
        (b'{"age": 25, "city": "' + b"x" * LONGEST_LINE + b'"}', "line_too_long", ""),
        (json.dumps({**ROW, "income-per-month": NO_SCORE}).encode(), "row_unscorable", ""),
    ],
)
def test_a_wrong_row_ends_the_answer_and_those_before_it_are_answered(
    server: Running, line: bytes, code: str, where: str
) -> None:
    place = TOGETHER + 17
    answer = stream(server, b"".join([*LINES[:place], line, b"\n", *LINES[:40]]))
    assert answer.status_code == 200
    assert len(told(answer)) == place + 1
    error = failure(answer)
    assert (error["code"], error["where"], error["status"]) == (code, f"rows[{place}]{where}", 400)
    first = stream(server, line + b"\n" + LINES[0])
    assert first.status_code == 400
    assert (failure(first)["code"], failure(first)["where"]) == (code, f"rows[0]{where}")


def test_a_line_without_end_is_not_waited_for(server: Running) -> None:
    with Duplex(server) as caller:
        caller.send_meanwhile(b"[" * 65536 for _ in range(1000))
        assert failure(caller.answer())["code"] == "line_too_long"
        assert caller.status == 400
        assert caller.sent < 60_000_000


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_no_row_is_an_error(server: Running, content: bytes) -> None:
    answer = stream(server, content)
    assert (answer.status_code, failure(answer)["code"]) == (400, "rows_missing")


def test_a_stream_gives_no_reasons(server: Running) -> None:
    answer = server.client.post("/v1/predict?explain=true", content=LINES[0], headers=HEADERS)
    assert (answer.status_code, failure(answer)["code"]) == (400, "query_invalid")
    answer = server.client.post("/v1/predict?explain=false", content=LINES[0], headers=HEADERS)
    assert answer.status_code == 200


def test_a_deadline_holds_for_the_whole_stream(server: Running) -> None:
    with Duplex(server, **{"x-deadline-ms": "300"}) as caller:
        assert len(told(next(caller.send(LINES[0]).parts()))) == 1
        began = time.perf_counter()
        until(lambda: time.perf_counter() - began > 0.4)
        error = failure(caller.send(LINES[1]).answer())
        assert (error["code"], error["status"]) == ("deadline_passed", 503)
    refused = stream(server, LINES[0], **{"x-deadline-ms": "soon"})
    assert (refused.status_code, failure(refused)["code"]) == (400, "deadline_invalid")


def test_quota_and_rate_hold_for_streams(start: Start) -> None:
    server = start(rows_per_day=2, requests_per_second=2.0)
    with Duplex(server) as caller:
        answers = caller.parts()
        for line in LINES[:2]:
            assert len(told(next(caller.send(line).parts()))) == 1
        error = failure(caller.send(LINES[2]).answer())
        assert (error["code"], error["status"], error["where"]) == ("quota_exceeded", 429, "")
        assert list(answers) == []
    refused = [stream(server, b"".join(LINES[:100])) for _ in range(2)]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert [failure(answer)["code"] for answer in refused] == ["quota_exceeded", "rate_limited"]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_who_finds_no_room_waits_for_it(start: Start) -> None:
    server = start(max_waiting_requests=1, max_waiting_rows=50)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: stream(server, b"".join(LINES[:1000])), range(6)))
    assert [len(told(answer)) for answer in answers] == [1000] * 6
    assert not any("error" in line for answer in answers for line in told(answer))


# --- one release ---------------------------------------------------------------------------------------------------


def test_a_stream_is_answered_by_one_release_as_long_as_that_is_loaded(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start()
    with Duplex(server) as caller:
        answers = caller.parts()
        (before,) = told(next(caller.send(LINES[0]).parts()))
        maker.deploy(template.flipped)
        server.deployed(2)
        assert server.predict(ROW).json()["release"] == str(template.flipped.ref)
        caller.send(LINES[0])
        (after,) = told(next(answers))
        assert after["score"] == before["score"]
        maker.deploy(template.same)
        server.deployed(3)
        error = failure(caller.send(LINES[0]).answer())
        assert (error["code"], error["status"]) == ("release_gone", 503)
        assert caller.headers["x-drivetrain-release"] == str(template.good.ref)
        assert caller.whole


def test_a_challenger_on_trial_answers_no_stream_and_a_shadow_sees_it(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    maker.deploy(template.good, template.same, share=0.9, shadows=[template.flipped])
    server = start(shadow_load=0.9)
    server.deployed(2)
    answer = stream(server, b"".join(LINES[:1000]))
    assert len(told(answer)) == 1000
    assert answer.headers["x-drivetrain-release"] == str(template.good.ref)
    said = server.metrics
    until(lambda: sum(value for (name, *_), value in said().items() if name == "drivetrain_shadow_rows_total") == 1000)
    assert sum(value for (name, *_), value in said().items() if name == "drivetrain_trial_rows_total") == 0


def test_a_quarantined_service_answers_no_stream_and_its_neighbour_does(home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    key = ReleaseMaker(empty, "nothing").key("somebody")
    with running(settings_of(home, others=(ServiceSettings(empty, "nothing"),))) as server:
        headers = {**HEADERS, "authorization": f"Bearer {key}"}
        answer = server.client.post("/services/nothing/v1/predict", content=LINES[0], headers=headers)
        assert (answer.status_code, failure(answer)["code"]) == (503, "service_quarantined")
        assert stream(server, LINES[0]).status_code == 200
