"""Bodies and answers that come in parts: pressure reaches who sends too fast, and whoever goes is noticed."""

import socket
from functools import partial

import pytest
from tests.serve.conftest import until

from .conftest import PART, Listen, Listening, chunked, get, post

BOUND = 4 * 1024 * 1024
"""What the kernel, the loop and the connection may hold together for one slow caller."""


@pytest.mark.parametrize("whole", [post("/stream/echo", b"hello"), chunked("/stream/echo", b"hel", b"lo")])
def test_a_body_may_be_answered_while_it_arrives(patient: Listening, whole: bytes) -> None:
    with patient.peer() as peer:
        for _ in range(2):
            reply = peer.send(whole).reply()
            assert (reply.status, reply.body, reply.headers["transfer-encoding"]) == (200, b"hello", "chunked")
        peer.send(get("/stream/echo", "Transfer-Encoding: chunked", method="POST") + b"3\r\nhel\r\n")
        assert b"hel" in [peer._file.readline().strip() for _ in range(7)]
        assert peer.send(b"2\r\nlo\r\n0\r\n\r\n")._file.readline() == b"2\r\n"


@pytest.mark.parametrize("first", [post("/stream/late", b"abc"), chunked("/stream/late", b"abc")])
def test_requests_behind_a_streamed_one_are_not_its_body(patient: Listening, first: bytes) -> None:
    for path, told in (("/stream/echo", b"abc"), ("/stream/count", b"3"), ("/stream/early", b"enough")):
        content = first.replace(b"/stream/late", path.encode())
        with patient.peer() as peer:
            peer.send(content + get("/late/behind") + content + get("/last"))
            bodies = [peer.reply().body for _ in range(4)]
        assert bodies == [told, b"GET /late/behind ", told, b"GET /last "]


def test_requests_that_come_while_a_streamed_one_is_answered_wait_for_it(listen: Listen) -> None:
    server = listen()
    with server.peer() as peer:
        peer.send(post("/stream/held", b"abc"))
        until(lambda: server.handler.read == 3)
        peer.send(get("/next"))
        with server.peer() as other:
            assert other.send(get("/other")).reply().status == 200  # the loop is not busy with what waits
        server.call(server.handler.go_on.set)
        assert (peer.reply().body, peer.reply().body) == (b"3", b"GET /next ")


def test_a_body_is_read_no_faster_than_it_is_used(listen: Listen) -> None:
    server = listen()
    size = 64 * 1024 * 1024
    with server.peer() as peer:
        peer.send(get("/stream/held", f"Content-Length: {size}", method="POST"))
        sent = peer.fill(bytes(PART), size)
        until(lambda: server.handler.read > 0)
        assert sent < size // 4
        server.call(server.handler.go_on.set)
        peer.send(bytes(size - sent))
        assert peer.reply().body == b"%d" % size


def test_an_answer_is_made_no_faster_than_it_is_taken(listen: Listen) -> None:
    server = listen(write_seconds=0.3)
    with server.peer(receive=4096) as peer:
        peer.send(post("/stream/endless"))
        assert peer.socket.recv(12) == b"HTTP/1.1 200"
        until(lambda: server.handler.left)
        assert server.handler.left in (["ConnectionResetError"], ["CancelledError"])
        assert server.handler.written < 16 * BOUND
    until(lambda: server.listener.connections == 0)


def test_who_leaves_in_the_middle_of_an_answer_is_noticed(listen: Listen) -> None:
    server = listen()
    with server.peer() as peer:
        peer.send(post("/stream/endless"))
        assert peer.socket.recv(12) == b"HTTP/1.1 200"
    until(lambda: server.handler.left and server.listener.connections == 0)


def test_who_leaves_in_the_middle_of_a_body_is_noticed(listen: Listen) -> None:
    server = listen()
    for times, path in enumerate(("/stream/echo", "/stream/count"), 1):
        with server.peer() as peer:
            peer.send(get(path, "Transfer-Encoding: chunked", method="POST") + b"5\r\nhel")
            until(partial(_seen, server, times))
            peer.socket.shutdown(socket.SHUT_WR)
    until(lambda: len(server.handler.left) == 2 and server.listener.connections == 0)


def _seen(server: Listening, times: int) -> bool:
    return len(server.handler.seen) == times


def test_a_streamed_body_that_breaks_off_badly_is_told(patient: Listening) -> None:
    with patient.peer() as peer:
        reply = peer.send(get("/stream/count", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n").reply()
        assert reply.status == 400
        assert peer.closed()


def test_nobody_works_on_for_a_caller_who_was_too_slow(listen: Listen) -> None:
    server = listen(body_seconds=0.1)
    with server.peer() as peer:
        peer.send(get("/stream/count", "Content-Length: 5", method="POST") + b"hell")
        assert peer.reply().status == 408
        until(lambda: server.handler.left == ["CancelledError"], 1.0)


def test_an_answer_before_the_end_of_the_body_ends_the_connection(patient: Listening) -> None:
    with patient.peer() as peer:
        reply = peer.send(get("/stream/early", "Content-Length: 900", method="POST") + b"abc").reply()
        assert (reply.status, reply.headers["connection"]) == (409, "close")
        assert peer.closed()


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(patient: Listening) -> None:
    with patient.peer() as peer:
        reply = peer.send(post("/stream/broken")).reply()
        assert (reply.status, reply.body) == (200, None)


def test_http_1_0_gets_an_answer_in_parts_without_chunks(patient: Listening) -> None:
    with patient.peer() as peer:
        peer.send(get("/stream/echo", "Content-Length: 5", method="POST", version="1.0") + b"hello")
        reply = peer.reply()
        assert (reply.body, "transfer-encoding" in reply.headers) == (b"hello", False)


def test_who_reads_slowly_for_a_while_must_still_send_the_rest(listen: Listen) -> None:
    server = listen(body_seconds=0.3)
    size = 64 * 1024 * 1024
    with server.peer() as peer:
        peer.send(get("/stream/echo", f"Content-Length: {size}", method="POST"))
        sent, taken = peer.fill(bytes(PART), size), 0
        while taken < sent and (part := peer.socket.recv(1 << 20)):  # with the sizes of the chunks it is more
            taken += len(part)
        assert size > sent <= taken
        assert not peer.rest().endswith(b"0\r\n\r\n")
        assert server.handler.left == ["TimeoutError"]
    until(lambda: server.listener.connections == 0)
