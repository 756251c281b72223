"""HTTP/2 over real sockets: many requests at once, the limits of HTTP/1.1, and callers who mean harm."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterator

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import until

from .conftest import Listen, Listening
from .http2_caller import PREFACE, Heard, Http2Caller

HEAD = b"\x83\x86\x84\x41\x01a"  # POST / of the authority "a", packed without a table of its own
QUICK = {"head_seconds": 0.4, "body_seconds": 0.4, "write_seconds": 0.4, "idle_seconds": 0.6}


@pytest.fixture(autouse=True)
def _nothing_went_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The loop logs what a protocol lets escape."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def drain(server: Listening, seconds: float) -> None:
    asyncio.run_coroutine_threadsafe(server.listener.drain(seconds), server.loop)


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


# --- plain requests --------------------------------------------------------------------------------------------


def test_a_hundred_requests_side_by_side_are_each_given_their_own_answer(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        asked = {caller.ask(f"/{'late/' if n % 3 else ''}{n}", b"x" * n): n for n in range(100)}
        for number, n in asked.items():
            heard = caller.answer(number)
            assert (heard.status, heard.body) == (200, f"POST /{'late/' if n % 3 else ''}{n} ".encode() + b"x" * n)
            assert {"date", "content-length", "content-type"} == set(heard.headers)


def test_an_answer_need_not_wait_for_the_one_before(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        slow, fast = caller.ask("/late/1"), caller.ask("/2")
        assert caller.answer(fast).status == 200
        assert not caller.heard[slow].over
        assert caller.answer(slow).body == b"POST /late/1 "


def test_many_requests_one_after_another_do_not_grow_the_connection(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        for n in range(300):
            number = caller.ask(f"/{n}")
            assert caller.answer(number).body == f"POST /{n} ".encode()


def test_head_has_the_length_and_nothing_else(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        heard = caller.answer(caller.ask("/here", method="HEAD"))
        assert (heard.status, heard.headers["content-length"], heard.body) == (200, "11", b"")


def test_a_path_is_decoded_and_cookies_are_put_together(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        number = caller.ask("/a%20b?c=d", b"", ("cookie", "a=b"), ("cookie", "c=d"), ("x-other", "é"))
        assert caller.answer(number).body == b"POST /a b "


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "content-type"])
def test_a_header_that_may_come_once_may_not_come_twice(patient: Listening, name: str) -> None:
    with Http2Caller(patient.address) as caller:
        heard = caller.answer(caller.ask("/twice", b"", (name, "a"), (name, "b")))
        assert (heard.status, heard.body) == (400, f"the header {name} comes twice".encode())
        assert caller.answer(caller.ask("/once", b"", (name, "a"))).status == 200
    assert "/twice" not in patient.handler.seen


@pytest.mark.parametrize("target", ["*", "http://elsewhere/", "relative"])
def test_a_target_begins_with_a_slash(patient: Listening, target: str) -> None:
    with Http2Caller(patient.address) as caller:
        assert caller.answer(caller.ask(target)).status == 400


def test_a_header_may_hold_any_bytes(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        caller.heard[1] = Heard()
        caller.send(frame(1, 5, 1, HEAD + b"\0\x01x\x02\xff\xfe"))
        until(lambda: "/" in patient.handler.seen)


def test_trailers_are_read_and_forgotten(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        number = caller.begin("POST", "/trailed")
        caller.h2.send_data(number, b"body")
        caller.h2.send_headers(number, [("x-checksum", "1")], end_stream=True)
        assert caller.answer(number).body == b"POST /trailed body"


def test_who_expects_to_be_told_to_go_on_is_told(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        number = caller.begin("POST", "/a", ("expect", "100-continue"))
        caller.send().until(lambda: caller.heard[number].told)
        caller.h2.send_data(number, b"hello", end_stream=True)
        assert (caller.answer(number).body, caller.heard[number].told) == (b"POST /a hello", [100])


def test_a_head_that_is_refused_is_answered_before_its_body(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        number = caller.begin("POST", "/refused", ("expect", "100-continue"))
        assert (caller.answer(number).status, caller.heard[number].told) == (401, [])
        caller.upload(number, bytes(100_000))
        caller.h2.send_data(number, b"", end_stream=True)
        assert caller.answer(caller.ask("/next")).status == 200


# --- limits ----------------------------------------------------------------------------------------------------


def test_a_head_that_is_too_large_is_refused_and_the_others_are_not(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        large = caller.ask("/large-head", b"", *[(f"x-{n}", "v" * 1000) for n in range(20)])
        assert caller.answer(large).status == 431
        assert caller.answer(caller.ask("/next")).status == 200


def test_a_head_that_grows_while_it_is_unpacked_ends_the_connection(patient: Listening) -> None:
    """HPACK names a long header of before in one byte."""
    with Http2Caller(patient.address) as caller:
        caller.ask("/bomb", b"", *[("x-long", "v" * 3900)] * 1000)
        assert caller.send().end() is ErrorCodes.ENHANCE_YOUR_CALM


def test_a_body_that_is_too_large_is_refused_although_the_caller_still_sends(listen: Listen) -> None:
    server = listen(max_body_bytes=100_000)
    with Http2Caller(server.address) as caller:
        number = caller.begin("POST", "/long")
        caller.upload(number, bytes(2_000_000))
        assert caller.answer(number).status == 413
        assert caller.answer(caller.ask("/next")).status == 200
    assert server.handler.seen == ["/next"]


def test_who_is_still_sending_after_the_answer_is_told_to_stop_in_the_end(listen: Listen) -> None:
    with Http2Caller(listen(max_body_bytes=10).address) as caller:
        number = caller.begin("POST", "/long")
        caller.h2.send_data(number, bytes(100))
        assert caller.answer(number).status == 413
        caller.until(lambda: caller.heard[number].reset is not None)
        assert caller.heard[number].reset is ErrorCodes.NO_ERROR
        assert caller.answer(caller.ask("/next")).status == 200


def test_all_bodies_of_a_connection_together_are_bounded(listen: Listen) -> None:
    with Http2Caller(listen(max_body_bytes=50_000).address) as caller:
        caller.until(lambda: caller.h2.remote_settings.initial_window_size > 100_000)
        numbers = [caller.begin("POST", f"/{n}") for n in range(20)]
        for number in numbers:
            for _ in range(4):
                caller.h2.send_data(number, bytes(10_000))
        caller.send().until(lambda: sum(caller.heard[number].status == 413 for number in numbers) >= 14)
        for number in numbers:
            if not caller.heard[number].status:
                caller.h2.end_stream(number)
        statuses = [caller.answer(number).status for number in numbers]
        assert (statuses.count(200), statuses.count(413)) == (5, 15)
        assert caller.answer(caller.ask("/next")).status == 200


def test_a_body_that_is_too_slow_is_refused_and_the_others_are_not(listen: Listen) -> None:
    with Http2Caller(listen(**QUICK).address) as caller:
        slow = caller.begin("POST", "/slow")
        caller.h2.send_data(slow, b"x")
        assert caller.answer(slow).status == 408
        assert caller.answer(caller.ask("/next")).status == 200


def test_a_connection_that_asks_nothing_is_let_go_though_it_pings(listen: Listen) -> None:
    with Http2Caller(listen(**QUICK).address) as caller:

        def ping() -> bool:
            caller.h2.ping(b"are you?")
            caller.send().listen()
            return caller.goodbye is not None

        until(ping, every=0.05)
        assert caller.end() is ErrorCodes.NO_ERROR


@pytest.mark.parametrize(
    "begun",
    [PREFACE[:20], PREFACE + b"\0\0", PREFACE + frame(1, 1, 1, b"\x82"), PREFACE + frame(1, 5, 1, bytes(9))[:12]],
)
def test_a_head_that_does_not_end_is_not_waited_for(listen: Listen, begun: bytes) -> None:
    server = listen(**{**QUICK, "idle_seconds": 60, "body_seconds": 60})
    with server.peer() as peer:
        told = peer.send(begun[:-1], begun[-1:]).rest()
    assert told.endswith(frame(7, 0, 0, bytes(8)))
    until(lambda: not server.listener.connections)


def test_who_is_one_too_many_is_sent_away(listen: Listen) -> None:
    server = listen(max_connections=1)
    with Http2Caller(server.address) as first:
        assert first.answer(first.ask("/1")).status == 200
        with server.peer() as second:
            assert second.send(PREFACE).reply().status == 503
        until(lambda: server.listener.connections == 1)
        assert first.answer(first.ask("/2")).status == 200


def test_a_hundred_requests_may_wait_and_not_one_more(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        caller.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
        caller.h2.remote_settings.acknowledge()
        for n in range(101):
            caller.begin("POST", f"/{n}")
        assert caller.send().end() is ErrorCodes.PROTOCOL_ERROR


# --- who means harm --------------------------------------------------------------------------------------------


def resets(count: int) -> bytes:
    """Requests that are taken back at once (CVE-2023-44487)."""
    return b"".join(frame(1, 4, 2 * n + 1, HEAD) + frame(3, 0, 2 * n + 1, struct.pack(">I", 8)) for n in range(count))


FLOODS = {
    "rapid resets": resets(3000),
    "pings": frame(6, 0, 0, b"whatever") * 3000,
    "settings": frame(4, 0, 0) * 3000,
    "settings that are told apart": b"".join(frame(4, 0, 0, struct.pack(">HI", 4, 70_000 + n)) for n in range(3000)),
    "priorities": b"".join(frame(2, 0, 2 * n + 1, struct.pack(">IB", 0, 1)) for n in range(3000)),
    "small windows": frame(8, 0, 0, struct.pack(">I", 1)) * 3000,
    "empty parts": frame(1, 4, 1, HEAD) + frame(0, 0, 1) * 3000,
    "what nobody knows": frame(77, 0, 0, b"?") * 3000,
    "a head without an end": frame(1, 1, 1, HEAD) + frame(9, 0, 1, b"\0" * 8000) * 10,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_who_floods_is_sent_away_and_another_stays_served(patient: Listening, flood: bytes) -> None:
    with Http2Caller(patient.address) as other, Http2Caller(patient.address) as caller:
        caller.send(flood)
        assert other.answer(other.ask("/other")).status == 200
        assert caller.end() is ErrorCodes.ENHANCE_YOUR_CALM
        assert other.answer(other.ask("/other")).status == 200


def test_what_was_taken_back_at_once_is_not_worked_on(listen: Listen) -> None:
    server = listen()
    with Http2Caller(server.address) as caller:
        caller.send(resets(100))
        number = caller.h2.get_next_available_stream_id()
        assert number == 1
        caller.socket.sendall(frame(1, 5, 201, HEAD))
        until(lambda: server.handler.seen)
    assert server.handler.seen == ["/"]


BROKEN = {
    "a frame of sixteen megabytes": frame(0, 0, 1)[3:].join([b"\xff\xff\xff", b""]),
    "a body of no request": frame(0, 1, 1, b"x"),
    "an even number": frame(1, 5, 2, HEAD),
    "a head that is no HPACK": frame(1, 5, 1, b"\xff" * 50),
    "a head of the past": frame(1, 5, 3, HEAD) + frame(1, 5, 1, HEAD),
    "no method": frame(1, 5, 1, b"\x86\x84\x41\x01a"),
    "a push": frame(5, 4, 1, b"\0\0\0\2" + HEAD),
    "a naked continuation": frame(9, 4, 1, HEAD),
    "padding of more than there is": frame(0, 8, 1, b"\xff"),
    "an empty window": frame(8, 0, 0, b"\0\0\0\0"),
    "a window beyond the largest": frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "a ping of three bytes": frame(6, 0, 0, b"abc"),
    "settings that cannot be": frame(4, 0, 0, struct.pack(">HI", 5, 1)),
    "another head inside of a head": frame(1, 1, 1, HEAD) + frame(1, 5, 3, HEAD),
    "transfer-encoding": frame(1, 5, 1, HEAD + b"\0\x11transfer-encoding\x07chunked"),
    "a length that is none": frame(1, 4, 1, HEAD + b"\0\x0econtent-length\x02+1"),
    "a body longer than it said": frame(1, 4, 1, HEAD + b"\0\x0econtent-length\x011") + frame(0, 1, 1, b"12"),
    "a body shorter than it said": frame(1, 4, 1, HEAD + b"\0\x0econtent-length\x013") + frame(0, 1, 1, b"12"),
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_rules_ends_the_connection_and_no_other(listen: Listen, sent: bytes) -> None:
    server = listen(**QUICK)
    with Http2Caller(server.address) as caller:
        caller.send(sent).end()
        assert caller.goodbye is not None
    with Http2Caller(server.address) as other:
        assert other.answer(other.ask("/other")).status == 200
    assert {"/other", "/"} >= set(server.handler.seen)


FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 1, 2, 3, 5, 2**31 - 1, 2**32 - 1]),
    st.one_of(st.binary(max_size=40), st.just(HEAD), st.just(HEAD + b"\x5c\x015"), st.just(b"\0\0\0\x01")),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.one_of(st.binary(max_size=200), st.lists(FRAMES, max_size=12).map(b"".join)), preface=st.booleans())
def test_whatever_comes_behind_the_preface_does_no_harm(patient: Listening, sent: bytes, preface: bool) -> None:
    with patient.peer() as peer:
        peer.send(PREFACE if preface else PREFACE[:18], frame(4, 0, 0) if preface else b"", sent)
        peer.socket.shutdown(1)
        peer.rest()
    with patient.peer() as peer:
        assert peer.send(b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n").reply().status == 200


# --- the end ---------------------------------------------------------------------------------------------------


def test_a_caller_who_says_goodbye_is_let_go(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        caller.ask("/late/x")
        caller.send(frame(7, 0, 0, struct.pack(">II", 0, 0)))
        caller.closed = False
        while caller.socket.recv(65536):
            pass


def test_a_drain_brings_what_was_accepted_and_takes_nothing_new(listen: Listen) -> None:
    server = listen()
    with Http2Caller(server.address) as caller, Http2Caller(server.address) as idle:
        assert idle.answer(idle.ask("/1")).status == 200
        held = caller.begin("POST", "/stream/held")
        caller.h2.send_data(held, b"begun")
        caller.send()
        until(lambda: server.handler.read == 5)
        drain(server, 5)
        assert idle.end() is ErrorCodes.NO_ERROR
        new = caller.ask("/new")
        assert caller.answer(new).reset is ErrorCodes.REFUSED_STREAM
        assert caller.goodbye is None
        caller.h2.end_stream(held)
        caller.send()
        server.call(server.handler.go_on.set)
        assert caller.answer(held).body == b"5"
        assert caller.end() is ErrorCodes.NO_ERROR
    assert "/new" not in server.handler.seen


def test_who_does_not_end_is_cut_when_the_time_is_over(listen: Listen) -> None:
    server = listen()
    with Http2Caller(server.address) as caller:
        caller.begin("POST", "/slow")
        caller.send()
        until(lambda: server.listener.connections == 1)
        drain(server, 0.2)
        caller.end()


def test_who_leaves_in_the_middle_is_missed_by_nobody(listen: Listen) -> None:
    server = listen()
    with Http2Caller(server.address) as caller:
        for n in range(20):
            caller.ask(f"/late/{n}")
            caller.begin("POST", "/stream/echo")
        caller.send()
        until(lambda: len(server.handler.seen) == 40)
    until(lambda: not server.listener.connections)
    until(lambda: len(server.handler.left) == 20)
