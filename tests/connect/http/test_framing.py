"""However bytes are cut on their way, the same requests are seen; and no bytes at all make the server stumble."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.connect.http.connection import Connection
from drivetrain.connect.http.limits import Wire
from drivetrain.connect.http.settings import ConnectionLimits

from .conftest import Listening, Tiny, chunked, get, post

DATE = re.compile(rb"date: [^\r]*\r\n")
FRAMED = (get("/b"), b"0\r\n\r\n", b"\r\n", b"5\r\nhello\r\n", b"GET / HTTP/1.1\r\n")
bodies = st.sampled_from(FRAMED) | st.binary(max_size=40)
requests = (
    st.builds(get, st.sampled_from(["/a", "/late/a", "/refused"]))
    | st.builds(post, st.sampled_from(["/a", "/late/a", "/refused", "/stream/echo", "/stream/count"]), bodies)
    | st.builds(chunked, st.sampled_from(["/a", "/late/a", "/stream/echo", "/stream/count"]), bodies.filter(bool))
    | st.just(get("/a", "Connection: close"))
)
cuts = st.lists(st.integers(1, 60), max_size=25)


class Wires(asyncio.Transport):
    """Keeps what was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # this is all that is written here
        assert not self.ended
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.ended

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def talk(*given_pieces: bytes) -> tuple[bytes, bool, list[str]]:
    """What comes back for these pieces, whether the connection was ended, and what the handler saw."""

    async def steps() -> tuple[bytes, bool, list[str]]:
        handler, transport = Tiny(), Wires()
        wire = Wire(handler, ConnectionLimits(max_body_bytes=200, max_header_bytes=300))
        connection = Connection(wire)
        connection.connection_made(transport)
        for piece in given_pieces:
            connection.data_received(piece)
            await asyncio.sleep(0)
        quiet = 0
        while quiet < 20 and not transport.ended:  # a late answer comes after a while, and the next request with it
            before = transport.written
            await asyncio.sleep(0.03 if connection._exchange is not None else 0)
            quiet = quiet + 1 if transport.written == before else 0
            if connection._exchange is not None and quiet > 3:
                break
        wire.close()
        connection.connection_lost(None)
        await asyncio.sleep(0)
        return DATE.sub(b"", transport.written), transport.ended, handler.seen

    return asyncio.run(steps())


def pieces(content: bytes, cut: list[int]) -> list[bytes]:
    found = []
    for width in cut:
        found.append(content[:width])
        content = content[width:]
    return [piece for piece in (*found, content) if piece]


def bodies_of(answers: bytes) -> list[bytes]:
    """The answers' bodies, put together from chunks: how an answer in parts is cut depends on how its request was."""
    found = []
    while answers:
        head, _, answers = answers.partition(b"\r\n\r\n")
        status = head.split()[1]
        if b"chunked" in head:
            body = b""
            while not answers.startswith(b"0\r\n\r\n"):
                size, _, answers = answers.partition(b"\r\n")
                body, answers = body + answers[: int(size, 16)], answers[int(size, 16) + 2 :]
            answers = answers[5:]
        else:
            length = int(re.findall(rb"content-length: (\d+)", head)[0])
            body, answers = answers[:length], answers[length:]
        found.append(status + b" " + body)
    return found


@settings(max_examples=40)
@given(st.lists(requests, min_size=1, max_size=4), cuts)
def test_requests_are_the_same_however_they_are_cut(asked: list[bytes], cut: list[int]) -> None:
    content = b"".join(asked)
    whole, ended, seen = talk(content)
    parted, parted_ended, parted_seen = talk(*pieces(content, cut))
    assert (bodies_of(parted), parted_ended, parted_seen) == (bodies_of(whole), ended, seen)
    alone = [bodies_of(talk(one)[0])[0] for one in asked]
    assert bodies_of(whole) == alone[: len(bodies_of(whole))]
    assert ended or len(bodies_of(whole)) == len(asked)


mutations = st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 3))


@settings(max_examples=150)
@given(st.lists(requests, min_size=1, max_size=3), st.lists(mutations, max_size=4), cuts)
def test_damaged_requests_are_the_same_however_they_are_cut(
    asked: list[bytes], damage: list[tuple[int, bytes, int]], cut: list[int]
) -> None:
    """Two servers in a row see the same requests, whatever the network does: what one refuses, it refuses always."""
    content = b"".join(asked).replace(b"/late", b"").replace(b"/stream", b"")
    for at, put, dropped in damage:
        content = content[:at] + put + content[at + dropped :]
    if not content or b"PRI * HTTP/2.0" in content:
        return
    whole, ended, seen = talk(content)
    parted, parted_ended, parted_seen = talk(*pieces(content, cut))
    assert (parted_seen, parted_ended) == (seen, ended)
    assert [one[:3] for one in bodies_of(parted)] == [one[:3] for one in bodies_of(whole)]


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=300) | requests, max_size=4))
def test_no_bytes_make_the_server_stumble(patient: Listening, content: list[bytes]) -> None:
    with patient.peer() as peer:
        try:
            peer.send(*content)
            peer.socket.shutdown(1)
            told = peer.rest()
        except OSError:  # it had heard enough
            told = b""
    for status in re.findall(rb"HTTP/1\.1 (\d+)", told):
        assert int(status) < 500 or status in (b"501", b"505"), told
    with patient.peer() as peer:
        assert peer.send(get("/well")).reply().body == b"GET /well "


@pytest.mark.parametrize("byte", [b"\x16", b"\0", b"{", b"<", b" ", b"g", b"\xff", b"\n"])
def test_what_cannot_become_a_request_is_refused_at_its_first_byte(byte: bytes) -> None:
    told, ended, seen = talk(byte)
    assert (told[:12], ended, seen) == (b"HTTP/1.1 400", True, [])
