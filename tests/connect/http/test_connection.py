"""HTTP/1.1 over real sockets: order, limits of size and time, and nothing that could be read in two ways."""

import socket
import ssl

import pytest
from tests.serve.conftest import until

from .conftest import LARGE, Listen, Listening, chunked, get, post

SMUGGLED = get("/smuggled")


def test_requests_that_come_together_are_answered_in_order(patient: Listening) -> None:
    with patient.peer() as peer:
        peer.send(get("/late/1") + get("/2") + post("/late/3", b"three") + chunked("/4", b"fo", b"ur") + get("/5"))
        told = [peer.reply().body for _ in range(5)]
    assert told == [b"GET /late/1 ", b"GET /2 ", b"POST /late/3 three", b"POST /4 four", b"GET /5 "]


def test_a_connection_is_used_again_until_somebody_wants_it_closed(patient: Listening) -> None:
    with patient.peer() as peer:
        for number in range(3):
            reply = peer.send(get(f"/{number}")).reply()
            assert (reply.status, reply.body) == (200, f"GET /{number} ".encode())
            assert "connection" not in reply.headers
            assert {"date", "content-length", "content-type"} == set(reply.headers)
        reply = peer.send(get("/last", "Connection: close") + get("/never")).reply()
        assert (reply.body, reply.headers["connection"]) == (b"GET /last ", "close")
        assert peer.closed()
    assert "/never" not in patient.handler.seen


def test_http_1_0_gets_one_answer(patient: Listening) -> None:
    with patient.peer() as peer:
        reply = peer.send(get("/old", version="1.0") + get("/never")).reply()
        assert (reply.body, reply.headers["connection"]) == (b"GET /old ", "close")
        assert peer.closed()


def test_head_is_answered_with_the_length_of_what_get_would_give(patient: Listening) -> None:
    with patient.peer() as peer:
        reply = peer.send(get("/here", method="HEAD") + get("/next")).reply(of_head=True)
        assert (reply.status, reply.headers["content-length"]) == (200, str(len(b"HEAD /here ")))
        assert peer.reply().body == b"GET /next "


def test_empty_lines_before_a_request_do_no_harm(patient: Listening) -> None:
    with patient.peer() as peer:
        assert peer.send(b"\r\n\r\n" + get("/a") + b"\r\n", get("/b")).reply().body == b"GET /a "
        assert peer.reply().body == b"GET /b "


def test_who_expects_to_be_told_to_go_on_is_told(patient: Listening) -> None:
    with patient.peer() as peer:
        peer.send(get("/a", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert peer.reply().status == 100
        assert peer.send(b"hello").reply().body == b"POST /a hello"


def test_who_expects_to_go_on_is_refused_instead(patient: Listening) -> None:
    """The caller may send the body or not: only the end of the connection leaves no doubt."""
    with patient.peer() as peer:
        peer.send(get("/refused", f"Content-Length: {len(SMUGGLED)}", "Expect: 100-continue", method="POST"))
        reply = peer.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")
        assert peer.send(SMUGGLED).closed()
    assert "/smuggled" not in patient.handler.seen


@pytest.mark.parametrize("cut", [0, 1, 20, len(SMUGGLED) - 1])
def test_the_body_of_a_refused_request_is_no_request(patient: Listening, cut: int) -> None:
    with patient.peer() as peer:
        head = get("/refused", f"Content-Length: {len(SMUGGLED)}", method="POST")
        assert peer.send(head + SMUGGLED[:cut]).reply().status == 401
        assert peer.send(SMUGGLED[cut:] + get("/after")).reply().body == b"GET /after "
    assert "/smuggled" not in patient.handler.seen


@pytest.mark.parametrize("content", [chunked("/refused", SMUGGLED), post("/refused", SMUGGLED + bytes(5_000_000))])
def test_a_refused_body_of_unknown_or_great_length_ends_the_connection(patient: Listening, content: bytes) -> None:
    with patient.peer() as peer:
        peer.send(content[:400])
        reply = peer.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")
        assert peer.closed()
    assert "/smuggled" not in patient.handler.seen


def test_what_stands_behind_a_malformed_request_is_not_read(patient: Listening) -> None:
    for content in (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"GARBAGE\r\n\r\n",
    ):
        with patient.peer() as peer:
            reply = peer.send(content + SMUGGLED).reply()
            assert (reply.status, reply.headers["connection"]) == (400, "close")
            assert peer.closed()
    assert "/smuggled" not in patient.handler.seen


def test_a_head_that_is_too_large_is_refused(listen: Listen) -> None:
    server = listen(max_header_bytes=1000)
    fits = get("/a", "X: " + "a" * (1000 - len(get("/a", "X: "))))
    with server.peer() as peer:
        assert len(fits) == 1000
        assert peer.send(fits).reply().status == 200
        assert peer.send(fits[:-4] + b"a" * 5000).reply().status == 431
        assert peer.closed()
    with server.peer() as peer:
        assert peer.send(fits[:-4] + b"a\r\n\r\n").reply().status == 431
    with server.peer() as peer:
        assert peer.send(get("/a", *[f"X{number}: a" for number in range(100)])).reply().status == 431


def test_a_body_that_is_too_large_is_refused_as_soon_as_it_is(listen: Listen) -> None:
    server = listen(max_body_bytes=1000)
    with server.peer() as peer:
        assert peer.send(post("/a", bytes(1000))).reply().status == 200
        assert peer.send(chunked("/a", bytes(600), bytes(400))).reply().status == 200
        head = get("/a", "Transfer-Encoding: chunked", method="POST")
        assert peer.send(head + b"7d0\r\n" + bytes(1001)).reply().status == 413
        assert peer.closed()
    with server.peer() as peer:
        assert peer.send(get("/a", "Content-Length: 99999", method="POST") + bytes(1001)).reply().status == 413
        assert peer.closed()
    assert server.handler.seen == ["/a", "/a"]


@pytest.mark.parametrize(
    ("limit", "sent", "status"),
    [
        ("head_seconds", b"GET /a HTT", 408),
        ("head_seconds", b"\r\n\r\nG", 408),
        ("body_seconds", get("/a", "Content-Length: 5", method="POST") + b"hell", 408),
        ("body_seconds", get("/a", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhell", 408),
        ("body_seconds", get("/stream/count", "Content-Length: 5", method="POST") + b"hell", 408),
        ("body_seconds", get("/refused", "Content-Length: 5", method="POST") + b"hell", 401),
        ("idle_seconds", b"", None),
        ("idle_seconds", b"\r\n", None),
        ("idle_seconds", get("/a"), 200),
    ],
)
def test_who_is_too_slow_is_let_go(listen: Listen, limit: str, sent: bytes, status: int | None) -> None:
    server = listen(**{limit: 0.1})
    with server.peer() as peer:
        peer.send(sent)
        if status is not None:
            assert peer.reply().status == status
        assert peer.closed()
    until(lambda: server.listener.connections == 0)


def test_a_head_that_drips_is_slow_however_often_it_drips(listen: Listen) -> None:
    server = listen(head_seconds=0.2)
    with server.peer() as peer:
        peer.socket.settimeout(0.05)
        for byte in get("/a", "X: " + "a" * 200):
            peer.send(bytes([byte]))
            try:
                told = peer.socket.recv(12)
            except TimeoutError:
                continue
            assert told == b"HTTP/1.1 408"
            return
    pytest.fail("the head was waited for")


def test_a_streamed_body_may_take_its_time_as_long_as_it_goes_on(listen: Listen) -> None:
    server = listen(body_seconds=0.4)
    with server.peer() as peer:
        peer.send(get("/stream/count", "Content-Length: 20480", method="POST"))
        peer.socket.settimeout(0.1)
        for _ in range(9):
            peer.send(bytes(2048))
            with pytest.raises(TimeoutError):
                peer.socket.recv(1)
        peer.socket.settimeout(10)
        assert peer.send(bytes(2048)).socket.recv(12) == b"HTTP/1.1 200"


def test_who_does_not_take_the_answer_is_cut_off_and_costs_few_answers(listen: Listen) -> None:
    server = listen(write_seconds=0.2)
    with server.peer(receive=4096) as peer:
        peer.fill(get("/large") * 100_000)
        until(lambda: server.listener.connections == 0)
        assert len(server.handler.seen) <= 3  # of 100,000: what the kernel takes off our hands is not ours to bound
        assert len(peer.rest()) < LARGE


def test_who_takes_the_answer_slowly_gets_it(listen: Listen) -> None:
    server = listen(write_seconds=0.4)
    with server.peer(receive=65536) as peer:
        peer.send(get("/large"))
        peer.socket.settimeout(0.05)
        taken = 0
        while taken < LARGE // 2:  # one step lasts less than the limit, all of them longer
            taken += len(peer.socket.recv(131072))
        peer.socket.settimeout(10)
        while taken < LARGE:
            taken += len(peer.socket.recv(131072))


def test_who_has_said_all_is_still_answered(patient: Listening) -> None:
    with patient.peer() as peer:
        peer.send(post("/late/half", b"closed"))
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.reply().body == b"POST /late/half closed"
        assert peer.closed()


def test_who_leaves_in_the_middle_leaves_nothing(patient: Listening) -> None:
    for content in (b"GET /a", get("/a", "Content-Length: 5", method="POST") + b"x", get("/late/gone")):
        with patient.peer() as peer:
            peer.send(content)
    until(lambda: patient.listener.connections == 0)


def test_more_connections_than_allowed_are_told_to_come_back(listen: Listen) -> None:
    server = listen(max_connections=2)
    with server.peer() as one, server.peer() as two:
        assert one.send(get("/a")).reply().status == two.send(get("/b")).reply().status == 200
        with server.peer() as three:
            reply = three.send(get("/c")).reply()
            assert (reply.status, reply.headers["connection"]) == (503, "close")
            assert three.closed()
        assert one.send(get("/a")).reply().status == 200
    until(lambda: server.listener.connections == 0)
    with server.peer() as peer:
        assert peer.send(get("/d")).reply().status == 200
    assert "/c" not in server.handler.seen


def test_a_caller_who_speaks_tls_is_told_that_this_is_not_http(patient: Listening) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with patient.peer() as peer, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(peer.socket, server_hostname="x")
    with patient.peer() as peer:
        assert peer.send(get("/a")).reply().status == 200


def test_draining_answers_what_was_asked_and_takes_nothing_more(listen: Listen) -> None:
    server = listen()
    with server.peer() as idle, server.peer() as busy:
        idle.send(get("/a")).reply()
        busy.send(post("/late/b", b"12345")[:-1])
        until(lambda: server.listener.connections == 2)
        server.call(server.listener._wire.drain)
        until(lambda: server.listener.connections == 1, 1.0)  # whoever asked nothing is not waited for
        reply = busy.send(b"5").reply()
        assert (reply.body, reply.headers["connection"]) == (b"POST /late/b 12345", "close")
        assert busy.closed()
        assert idle.closed()
