"""The client against a service that answers as written: what is sent, in what pieces, and what comes back."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import numpy as np
import pytest
from tests.client.conftest import KEY, collect, refused, reply

from drivetrain.client import Answer, Client, Label, Prediction, Reason
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Transient


def numbered(count):
    return [{"x": float(number)} for number in range(count)]


def test_an_answer_is_typed(client):
    answer = client.predict([{"x": 0.25}, {"x": 0.5}])
    assert answer == Answer(
        "release/scripted@1", (Prediction("p0", 0.25, decision=False), Prediction("p1", 0.5, decision=False))
    )


def test_a_request_carries_the_key_and_the_time_that_is_left(client, service):
    client.predict([{"x": 1}], deadline=2)
    asked = service.asked[0]
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/v1/predict", f"Bearer {KEY}")
    assert 1000 < int(asked.headers["x-deadline-ms"]) <= 2000


def test_the_longest_patience_can_be_told(service):
    with Client(service.url, KEY, timeout=1e9, deadline=1e9) as client:
        client.predict([{"x": 1}])
    assert service.asked[0].headers["x-deadline-ms"] == "100000000"


def test_values_arrive_as_what_they_are(client, service):
    row = {
        "text": "a\nb", "whole": 3, "number": 1.5, "flag": True, "gone": None, "day": date(2026, 1, 31),
        "moment": datetime(2026, 1, 31, 12, tzinfo=UTC), "nan": float("nan"), "numpy": np.float32(0.5),
        "n": np.int64(7), "x": 1,
    }  # fmt: skip
    client.predict([row])
    list(client.stream([row]))
    sent = {
        **row, "day": "2026-01-31", "moment": "2026-01-31T12:00:00Z", "nan": None, "numpy": 0.5, "n": 7,
    }  # fmt: skip
    assert [asked.rows for asked in service.asked] == [[sent], [sent]]


def test_reasons_come_with_explain(client, service):
    reasons = [{"field": "age", "value": 20, "typical": 45.5, "effect": 0.3}]
    prediction = {"id": "a", "score": 0.9, "decision": True, "reasons": reasons}
    service.then(200, {"release": "release/r@1", "predictions": [prediction]})
    answer = client.predict([{"x": 1}], explain=True)
    assert answer.predictions[0].reasons == (Reason("age", 20, 45.5, 0.3),)
    assert json.loads(service.asked[0].body)["explain"] is True


def test_a_long_list_goes_in_several_requests_in_order(client, service):
    answer = client.predict(numbered(2500))
    assert [len(asked.rows) for asked in service.asked] == [1000, 1000, 500]
    assert [prediction.score for prediction in answer.predictions] == list(range(2500))
    assert len({asked.peer for asked in service.asked}) == 1, "the connection is kept open"


def test_what_the_service_finds_too_large_is_cut_and_remembered(client, service):
    def small(handler, asked):
        if len(asked.rows) > 300:
            reply(handler, 413, refused("rows_too_many"), {})
        else:
            service.predict(handler, asked)

    service.then_do(*[small] * 20)
    answer = client.predict(numbered(1000))
    assert [prediction.score for prediction in answer.predictions] == list(range(1000))
    assert [len(asked.rows) for asked in service.asked] == [1000, 500, 250, 250, 500, 250, 250]
    service.asked.clear()
    client.predict(numbered(400))
    assert [len(asked.rows) for asked in service.asked] == [250, 150]


def test_one_row_that_is_too_large_is_an_error(client, service):
    service.then(413, refused("body_too_large"))
    with pytest.raises(InvalidInput, match="body_too_large it is"):
        client.predict([{"x": 1}])


def test_wide_rows_go_in_requests_of_bounded_bytes(client, service):
    client.predict([{"x": 1, "text": "a" * 100_000}] * 12)
    assert [len(asked.rows) for asked in service.asked] == [5, 5, 2]


def test_no_rows_are_an_error_and_no_stream(client, service):
    with pytest.raises(InvalidInput, match="there is no row"):
        client.predict([])
    assert list(client.stream([])) == []
    assert client.labels([]) == 0
    assert service.asked == []


def test_a_value_that_json_does_not_know_is_named(client):
    with pytest.raises(InvalidInput, match=r"there is no JSON for object") as caught:
        client.predict([{"x": 1}, {"x": object()}])
    assert (caught.value.code, caught.value.where) == ("value_unsendable", "rows[1]")


def test_the_place_of_an_error_counts_from_the_whole_list(client, service):
    service.then_do(service.predict).then(400, refused("field_type", where="rows[3].age"))
    with pytest.raises(InvalidInput) as caught:
        client.predict(numbered(1500))
    assert caught.value.where == "rows[1003].age"
    assert caught.value.__notes__ == ["the first 1,000 rows were answered, and are recorded"]


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, InvalidInput), (401, Forbidden), (403, Forbidden), (404, NotFound), (413, InvalidInput),
        (415, InvalidInput), (422, InvalidInput), (429, Transient), (500, DrivetrainError), (503, Transient),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error_of_its_family(service, status, family):
    service.then(status, refused("some_code", where="rows[0].age"))
    with Client(service.url, KEY, retries=0) as client, pytest.raises(DrivetrainError) as caught:
        client.predict([{"x": 1}])
    error = caught.value
    assert isinstance(error, family)
    assert (type(error) is DrivetrainError) == (family is DrivetrainError)
    assert (error.code, error.where, error.hint) == ("some_code", "rows[0].age", "a cure")
    assert error.message.startswith("some_code it is")
    assert len(service.asked) == 1


def test_an_error_page_of_somebody_between_is_told_in_part(client, service):
    service.then(302, b"<html>" + b"moved " * 1000, location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(DrivetrainError, match="the service answered 302: <html>moved") as caught:
        client.predict([{"x": 1}])
    assert caught.value.code == "service_refused"
    assert len(str(caught.value)) < 600
    assert len(service.asked) == 1, "a redirect would carry the key elsewhere"


@pytest.mark.parametrize("body", [b"hello", b"\xff", {"predictions": []}, {"release": "r", "predictions": []}])
def test_an_answer_that_is_none_of_ours_is_an_error(client, service, body):
    service.then(200, body)
    with pytest.raises(DrivetrainError) as caught:
        client.predict([{"x": 1}])
    assert caught.value.code == "answer_invalid"


def test_a_stream_takes_only_the_rows_it_needs(client, service):
    taken = []

    def rows():
        for row in numbered(100_000):
            taken.append(row)
            yield row

    stream = client.stream(rows())
    assert next(stream) == Prediction("p0", 0.0, decision=False)
    assert len(taken) <= 1001
    assert [next(stream).score for _ in range(1500)] == [float(number) for number in range(1, 1501)]
    assert len(taken) <= 2001
    stream.close()
    assert [asked.headers["content-type"] for asked in service.asked] == ["application/x-ndjson"] * 2


def test_a_stream_hands_out_what_was_answered_before_an_error(client, service):
    def half(handler, asked):
        lines = [service.prediction(row["x"]) for row in asked.rows[:40]]
        lines.append(refused("field_type", where="rows[40].age"))
        reply(handler, 200, b"".join(json.dumps(line).encode() + b"\n" for line in lines), {})

    service.then_do(service.predict, half)
    taken = []
    with pytest.raises(InvalidInput) as caught:
        collect(client.stream(numbered(1500)), taken)
    assert [prediction.score for prediction in taken] == list(range(1040))
    assert (caught.value.code, caught.value.where) == ("field_type", "rows[1040].age")


@pytest.mark.parametrize(("status", "family"), [(None, Transient), (500, DrivetrainError), (503, Transient)])
def test_a_stream_that_the_service_ends_says_why(client, service, status, family):
    line = refused("broke", **({} if status is None else {"status": status}))
    service.then(200, json.dumps(line).encode())
    with pytest.raises(DrivetrainError) as caught:
        list(client.stream([{"x": 1}]))
    assert (type(caught.value), caught.value.code) == (family, "broke")


def test_a_stream_that_breaks_off_hands_out_whole_lines(client, service):
    def broken(handler, asked):
        lines = b"".join(json.dumps(service.prediction(row["x"])).encode() + b"\n" for row in asked.rows)
        handler.send_response(200)
        handler.send_header("content-length", str(len(lines)))
        handler.end_headers()
        handler.wfile.write(lines[:-100])
        handler.close_connection = True

    service.then_do(broken)
    taken = []
    with pytest.raises(Transient) as caught:
        collect(client.stream(numbered(100)), taken)
    assert caught.value.code == "answer_lost"
    assert [prediction.score for prediction in taken] == list(range(len(taken)))
    assert 95 <= len(taken) < 100
    assert len(service.asked) == 1


def test_a_stream_keeps_no_connection_while_its_caller_works(service):
    with Client(service.url, KEY, connections=1, deadline=2) as client:
        for prediction in client.stream(numbered(3)):
            client.label(prediction.id, label=True)
    assert len(service.asked) == 4


def test_labels_carry_their_time(client, service):
    before = datetime.now(UTC)
    client.label("p1", label=True)
    assert (
        client.labels(Label(f"p{number}", label=False, at=datetime(2026, 1, 2, tzinfo=UTC)) for number in range(3)) == 3
    )
    first, rest = (json.loads(asked.body)["labels"] for asked in service.asked)
    assert before <= datetime.fromisoformat(first[0].pop("at")) <= datetime.now(UTC)
    assert first == [{"prediction_id": "p1", "label": True}]
    assert rest[2] == {"prediction_id": "p2", "label": False, "at": "2026-01-02T00:00:00Z"}


def test_many_labels_go_a_thousand_at_a_time(client, service):
    assert client.labels(Label(f"p{number}", label=True) for number in range(2100)) == 2100
    assert [len(json.loads(asked.body)["labels"]) for asked in service.asked] == [1000, 1000, 100]


def health(*states):
    found = [{"service": f"s{number}", "state": state, "release": ""} for number, state in enumerate(states)]
    return {"status": "degraded", "services": found}


@pytest.mark.parametrize(
    ("status", "states", "first", "named"),
    [(200, ["ready", "ready"], True, True), (200, ["ready", "quarantined"], True, False),
     (200, ["quarantined", "ready"], False, True), (200, ["ready"], True, False), (503, ["quarantined"], False, False)],
)  # fmt: skip
def test_a_service_is_ready_or_not(service, status, states, first, named):
    service.then(status, health(*states)).then(status, health(*states))
    with Client(service.url, KEY) as one, Client(service.url, KEY, service="s1") as other:
        assert one.ready() == first
        assert other.ready() == named
    assert [asked.path for asked in service.asked] == ["/health/ready"] * 2


def test_a_service_that_is_not_there_is_not_ready(closed_port):
    with Client(f"http://127.0.0.1:{closed_port}", KEY) as client:
        assert not client.ready()


def test_the_release_is_that_of_the_champion(client, service):
    service.then(503, refused("service_quarantined"), retry_after="0")
    service.then(200, {"deployment": "deployment/s@2", "champion": "release/s@4", "challenger": "release/s@5"})
    assert client.release() == "release/s@4"
    assert [asked.path for asked in service.asked] == ["/v1/deployment"] * 2


def test_a_further_service_has_its_own_paths_and_a_proxy_its_prefix(service):
    with Client(f"{service.url}/ml/", KEY, service="fraud") as client:
        client.predict([{"x": 1}])
        client.label("p0", label=True)
    paths = ["/ml/services/fraud/v1/predict", "/ml/services/fraud/v1/labels"]
    assert [asked.path for asked in service.asked] == paths


def test_threads_share_a_client(service):
    with Client(service.url, KEY, connections=2) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: client.predict([{"x": number}]), range(80)))
    assert [answer.predictions[0].score for answer in answers] == list(range(80))
    assert len({asked.peer for asked in service.asked}) <= 2


def test_who_finds_all_connections_in_use_waits_no_longer_than_the_deadline(service):
    begun, go_on = threading.Event(), threading.Event()

    def slow(handler, asked):
        begun.set()
        go_on.wait(10)
        service.predict(handler, asked)

    service.then_do(slow)
    with Client(service.url, KEY, connections=1) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.predict, [{"x": 1}])
        assert begun.wait(10)
        with pytest.raises(Transient) as caught:
            client.predict([{"x": 2}], deadline=0.2)
        assert caught.value.code == "connections_busy"
        go_on.set()
        assert first.result().predictions[0].score == 1


def test_a_closed_client_says_so(client):
    client.close()
    with pytest.raises(InvalidInput, match="this client is closed"):
        client.predict([{"x": 1}])


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "naïve"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key):
    with pytest.raises(InvalidInput) as caught:
        Client("http://127.0.0.1:9", key)
    assert caught.value.code == "key_invalid"
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://a", "http://me:hidden@a", "http://a?key=hidden", "http://[::1"]
)
def test_an_address_that_is_none_is_refused_and_not_shown(url):
    with pytest.raises(InvalidInput) as caught:
        Client(url, KEY)
    assert caught.value.code == "url_invalid"
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "limits",
    [
        {"timeout": 0},
        {"timeout": float("nan")},
        {"deadline": -1},
        {"deadline": float("inf")},
        {"retries": -1},
        {"connections": 0},
    ],
)
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(InvalidInput, match="client_invalid"):
        Client("http://127.0.0.1:9", KEY, **limits)


def test_the_key_is_shown_nowhere(service, closed_port):
    with Client(service.url, KEY) as client:
        assert KEY not in repr(client)
        assert service.url in repr(client)
        service.then(400, refused("field_type"))
        with pytest.raises(InvalidInput) as caught:
            client.predict([{"x": 1}])
        assert KEY not in repr(caught.value) + str(caught.value)
    with Client(f"http://127.0.0.1:{closed_port}", KEY, retries=0) as client, pytest.raises(Transient) as lost:
        client.predict([{"x": 1}])
    assert KEY not in repr(lost.value) + str(lost.value) + str(lost.value.__context__)
