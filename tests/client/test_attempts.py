"""What is sent again and what never is, how long is waited, and what is told in the end."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.client.conftest import KEY, collect, refused, reset

from drivetrain.client import Client
from drivetrain.core.errors import DrivetrainError, Transient

ROW = [{"x": 0.5}]


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_that_asks_to_wait_is_waited_for(client, service, status):
    service.then(status, refused("overloaded"), retry_after="1")
    started = time.monotonic()
    assert client.predict(ROW).predictions[0].score == 0.5
    assert time.monotonic() - started >= 1
    assert len(service.asked) == 2


def test_a_service_that_says_a_time_of_day_is_waited_for_as_well(client, service):
    service.then(
        503, refused("overloaded"), retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    )
    started = time.monotonic()
    assert client.predict(ROW).predictions[0].score == 0.5
    assert 0.5 < time.monotonic() - started < 5


@pytest.mark.parametrize("told", [{}, {"retry_after": "0"}, {"retry_after": "soon"}])
def test_several_refusals_are_borne(client, service, told):
    for _ in range(4):
        service.then(503, refused("overloaded"), **told)
    assert client.predict(ROW).predictions[0].score == 0.5
    assert len(service.asked) == 5


def test_refusals_are_borne_so_many_times_and_told(service):
    for _ in range(9):
        service.then(503, refused("overloaded"))
    with Client(service.url, KEY, retries=2) as client, pytest.raises(Transient) as caught:
        client.predict(ROW)
    assert caught.value.code == "overloaded"
    assert "tried 3 times" in caught.value.message
    assert "overloaded, overloaded, overloaded" in caught.value.message
    assert caught.value.hint == "a cure"
    assert len(service.asked) == 3


def test_a_wait_beyond_the_deadline_is_not_begun(client, service):
    service.then(429, refused("rate_limited"), retry_after="60")
    started = time.monotonic()
    with pytest.raises(Transient, match=r"rate_limited it is \(tried once in \d\.\d of 30 s: rate_limited\)"):
        client.predict(ROW, deadline=30)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("status", [400, 500, 502, 504])
def test_another_refusal_is_final(client, service, status):
    service.then(status, refused("no"))
    with pytest.raises(DrivetrainError, match="no it is"):
        client.predict(ROW)
    assert len(service.asked) == 1


def test_a_request_that_may_have_been_taken_is_not_sent_again(client, service):
    service.then_do(reset)
    with pytest.raises(Transient) as caught:
        client.predict(ROW)
    assert caught.value.code == "answer_lost"
    assert "records them twice" in caught.value.hint
    assert len(service.asked) == 1
    assert client.predict(ROW).predictions[0].score == 0.5, "the client is well"


def test_labels_are_sent_again_word_for_word(client, service):
    service.then_do(reset).then(502, b"bad gateway").then_do(reset)
    client.label("p1", label=True)
    assert len(service.asked) == 4
    assert len({asked.body for asked in service.asked}) == 1


def test_a_stream_block_is_sent_again_only_when_it_was_refused(client, service):
    service.then(503, refused("overloaded")).then_do(service.predict, reset)
    taken = []
    with pytest.raises(Transient, match="did not come whole"):
        collect(client.stream({"x": number} for number in range(1500)), taken)
    assert [len(asked.rows) for asked in service.asked] == [1000, 1000, 500]
    assert [prediction.score for prediction in taken] == list(range(1000))


def test_a_service_that_comes_up_is_reached(start, closed_port):
    scripted = []
    late = threading.Timer(0.3, lambda: scripted.append(start(closed_port)))
    late.start()
    with Client(f"http://127.0.0.1:{closed_port}", KEY, retries=50, deadline=20) as client:
        assert client.predict(ROW).predictions[0].score == 0.5
    late.join()
    assert len(scripted[0].asked) == 1


def test_a_service_that_is_not_there_is_transient(closed_port):
    with Client(f"http://127.0.0.1:{closed_port}", KEY, retries=3) as client, pytest.raises(Transient) as caught:
        client.predict(ROW)
    error = caught.value
    assert (error.code, error.where) == ("service_unreachable", f"http://127.0.0.1:{closed_port}")
    assert "refused" in error.message
    assert "tried 4 times" in error.message


def test_a_connection_that_went_stale_is_not_used(client, service):
    client.predict(ROW)

    def last(handler, asked):
        service.predict(handler, asked)
        handler.close_connection = True

    service.then_do(last)
    client.predict(ROW)
    assert service.hung_up.wait(10)
    client.predict(ROW)
    assert len({asked.peer for asked in service.asked}) == 2


def test_an_attempt_has_a_time_of_its_own(service):
    """Labels may be told twice, so a silent service is asked again before the deadline."""
    service.then_do(lambda handler, asked: service.over.wait(20))
    with Client(service.url, KEY, timeout=0.5, deadline=20) as client:
        client.label("p1", label=True)
    assert len(service.asked) >= 2
    assert int(service.asked[0].headers["x-deadline-ms"]) <= 500


def test_the_deadline_holds_for_a_long_list_as_a_whole(client, service):
    service.then_do(service.predict, service.predict, lambda handler, asked: service.over.wait(20))
    started = time.monotonic()
    with pytest.raises(Transient) as caught:
        client.predict([{"x": 1}] * 10_000, deadline=1.5)
    assert 1.5 <= time.monotonic() - started < 5
    assert caught.value.code == "answer_lost"
    assert caught.value.__notes__ == ["the first 2,000 rows were answered, and are recorded"]
    left = [int(asked.headers["x-deadline-ms"]) for asked in service.asked]
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0] <= 1500


def test_a_connection_that_breaks_before_the_body_was_sent_is_made_again():
    """Here in the handshake of HTTPS: nothing can have been taken."""
    met = []

    def turn_away(listener):
        for _ in range(2):
            connection, peer = listener.accept()
            met.append(peer)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        doorkeeper = threading.Thread(target=turn_away, args=[listener])
        doorkeeper.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with Client(url, KEY, retries=1) as client, pytest.raises(Transient) as caught:
            client.predict(ROW)
        doorkeeper.join()
    assert caught.value.code == "service_unreachable"
    assert len(met) == 2
