"""Bodies and answers over HTTP/2 within the windows: large ones, slow ones, endless ones, both ways at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from h2.errors import ErrorCodes
from tests.serve.conftest import until

from .conftest import LARGE, PART, Listen, Listening
from .http2_caller import Http2Caller

DEFAULT_WINDOW = 65_535


@pytest.fixture(autouse=True)
def _nothing_went_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The loop logs what a protocol lets escape."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def widen(caller: Http2Caller, number: int, size: int) -> None:
    """Take more of one answer."""
    caller.h2.increment_flow_control_window(size, number)
    caller.h2.increment_flow_control_window(size)
    caller.send()


@pytest.mark.parametrize("window", [DEFAULT_WINDOW, 2**30])
def test_a_large_answer_comes_whole(patient: Listening, window: int) -> None:
    with Http2Caller(patient.address, window=window) as caller:
        number = caller.ask("/large")
        caller.send()
        while window == DEFAULT_WINDOW and (left := LARGE - len(caller.heard[number].body)):
            caller.until(lambda: LARGE - len(caller.heard[number].body) <= max(left - DEFAULT_WINDOW, 0))
            if left > DEFAULT_WINDOW:
                widen(caller, number, DEFAULT_WINDOW)
        assert caller.answer(number).body == bytes(LARGE)


def test_a_large_body_arrives_whole(patient: Listening) -> None:
    body = bytes(range(256)) * 8192
    with Http2Caller(patient.address) as caller:
        number = caller.begin("POST", "/body")
        caller.upload(number, body)
        assert caller.answer(number).body == b"POST /body " + body


def test_several_large_answers_share_the_connection(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        numbers = [caller.ask("/large") for _ in range(5)]
        assert [len(caller.answer(number).body) for number in numbers] == [LARGE] * 5


def test_a_window_that_opens_byte_by_byte_gets_the_answer_byte_by_byte(patient: Listening) -> None:
    with Http2Caller(patient.address, window=0) as caller:
        number = caller.ask("/abc")
        for taken in range(len("POST /abc ")):
            caller.send().until(lambda: caller.heard[number].status)
            assert len(caller.heard[number].body) == taken
            widen(caller, number, 1)
            caller.until(lambda: len(caller.heard[number].body) == taken + 1)  # noqa: B023 - read at once
        assert caller.answer(number).body == b"POST /abc "


def test_a_window_may_be_opened_for_all_by_a_setting(patient: Listening) -> None:
    with Http2Caller(patient.address, window=0) as caller:
        numbers = [caller.ask(f"/{n}") for n in range(5)]
        caller.send().until(lambda: all(caller.heard[number].status for number in numbers))
        assert not any(caller.heard[number].body for number in numbers)
        caller.h2.update_settings({4: 1000})
        assert [caller.answer(number).body for number in numbers] == [f"POST /{n} ".encode() for n in range(5)]


def test_who_never_opens_the_window_is_cut_and_what_waited_is_let_go(listen: Listen) -> None:
    server = listen(write_seconds=0.4)
    with Http2Caller(server.address, window=0) as caller:
        whole, parts = caller.ask("/large"), caller.ask("/stream/endless")
        assert caller.answer(whole).reset is ErrorCodes.CANCEL
        assert caller.answer(parts).reset is ErrorCodes.CANCEL
        until(lambda: server.handler.left)
        assert server.handler.written <= 10 * PART, "an answer in parts waits for its reader"
        number = caller.ask("/next")
        caller.send().until(lambda: caller.heard[number].status)
        widen(caller, number, 100)
        assert caller.answer(number).body == b"POST /next "


def test_who_does_not_read_at_all_is_cut_without_a_goodbye(listen: Listen) -> None:
    server = listen(write_seconds=0.4)
    with Http2Caller(server.address, receive=4096) as caller:
        caller.ask("/stream/endless")
        caller.send()
        until(lambda: server.handler.written > 0)
        until(lambda: not server.listener.connections)
        assert server.handler.written < 100 * PART


def test_who_reads_slowly_is_given_time_while_they_read(listen: Listen) -> None:
    server = listen(write_seconds=0.5)
    with Http2Caller(server.address, receive=64 * 1024) as caller:
        number = caller.ask("/large")
        caller.send()

        def some() -> bool:
            caller.listen(take=128 * 1024)
            return caller.heard[number].over

        until(some)
        assert len(caller.answer(number).body) == LARGE


def test_a_stream_goes_both_ways_at_once(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        number = caller.begin("POST", "/stream/echo")
        for turn in range(20):
            caller.h2.send_data(number, b"%3d" % turn)
            caller.send().until(lambda: len(caller.heard[number].body) == 3 * turn + 3)  # noqa: B023 - read at once
        caller.h2.end_stream(number)
        assert caller.answer(number).body == b"".join(b"%3d" % turn for turn in range(20))


def test_a_stream_has_no_limit_of_size_and_gives_back_the_window(listen: Listen) -> None:
    """Twice as much as a connection may hold, read by nobody at the end: the next request still finds room."""
    server = listen(max_body_bytes=1000)
    with Http2Caller(server.address) as caller:
        for _ in range(3):
            number = caller.begin("POST", "/stream/count")
            caller.upload(number, bytes(3_000_000))
            assert caller.answer(number).body == b"3000000"
        for _ in range(3):
            number = caller.begin("POST", "/stream/early")
            caller.upload(number, bytes(3_000_000))
            assert caller.answer(number).status == 409
        number = caller.begin("POST", "/stream/count")
        caller.upload(number, bytes(1_500_000))
        assert caller.answer(number).body == b"1500000"


def test_a_handler_that_does_not_read_holds_up_its_own_body_only(listen: Listen) -> None:
    server = listen()
    with Http2Caller(server.address) as caller:
        caller.until(lambda: caller.h2.remote_settings.initial_window_size > DEFAULT_WINDOW)
        held = caller.begin("POST", "/stream/held")
        sent = 0
        while room := min(caller.h2.local_flow_control_window(held), 16384):
            caller.h2.send_data(held, bytes(room))
            caller.send()
            sent += room
        assert sent <= 2_200_000
        assert caller.answer(caller.ask("/other", method="GET")).status == 200
        server.call(server.handler.go_on.set)
        caller.h2.end_stream(held)
        assert caller.answer(held).body == b"%d" % sent


def test_an_answer_that_breaks_off_is_no_whole_one(patient: Listening) -> None:
    with Http2Caller(patient.address) as caller:
        heard = caller.answer(caller.ask("/stream/broken"))
        assert (heard.body, heard.whole, heard.reset) == (b"half of it", False, ErrorCodes.INTERNAL_ERROR)


@pytest.mark.parametrize("path", ["/late/x", "/stream/endless", "/stream/echo", "/stream/held", "/large"])
def test_a_request_may_be_taken_back_at_any_time(listen: Listen, path: str) -> None:
    server = listen()
    with Http2Caller(server.address, window=100) as caller:
        number = caller.begin("POST", path)
        caller.h2.send_data(number, b"begun")
        caller.send()
        until(lambda: path not in ("/stream/endless", "/stream/echo") or server.handler.seen)
        caller.h2.reset_stream(number, ErrorCodes.CANCEL)
        other = caller.ask("/ok")
        assert caller.answer(other).body == b"POST /ok "
    until(lambda: not server.listener.connections)
    if path in ("/stream/endless", "/stream/echo"):
        assert len(server.handler.left) == 1
