"""What is a request and what is not: a head that two servers could read in two ways is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.connect.http.head import BadHead, Heads, http2_head, parse_head

HOST = b"Host: x\r\n"


def head(lines: bytes = HOST, start: bytes = b"POST /v1/predict HTTP/1.1") -> bytes:
    return start + b"\r\n" + lines + b"\r\n"


def refused(raw: bytes) -> int:
    with pytest.raises(BadHead) as caught:
        parse_head(raw)
    assert caught.value.reason
    return caught.value.status


def test_a_head_is_told_apart() -> None:
    found = parse_head(head(HOST + b"X-API-Key: k\r\nContent-Length: 12\r\n", b"POST /a%20b?x=1&y=2 HTTP/1.1"))
    assert (found.method, found.path, found.query) == ("POST", "/a b", "x=1&y=2")
    assert found.headers == {"host": "x", "x-api-key": "k", "content-length": "12"}
    assert (found.length, found.lasting, found.expects) == (12, True, False)


@pytest.mark.parametrize(
    ("raw", "length", "lasting"),
    [
        (head(start=b"GET / HTTP/1.1"), 0, True),
        (head(HOST + b"Content-Length: 0\r\n"), 0, True),
        (head(HOST + b"Content-Length:7\r\n"), 7, True),
        (head(HOST + b"Content-Length: \t 007 \t\r\n"), 7, True),
        (head(HOST + b"Transfer-Encoding: chunked\r\n"), None, True),
        (head(HOST + b"transfer-encoding: CHUNKED\r\n"), None, True),
        (head(HOST + b"Connection: close\r\n"), 0, False),
        (head(HOST + b"Connection: keep-alive, Close\r\n"), 0, False),
        (head(b"", b"POST / HTTP/1.0"), 0, False),
        (head(b"Connection: keep-alive\r\nContent-Length: 3\r\n", b"POST / HTTP/1.0"), 3, False),
        (head(HOST + b"X: \xff\r\n"), 0, True),
        (head(HOST + b"X:\r\n"), 0, True),
        (head(HOST + b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"GET / HTTP/1.1"), 0, True),
    ],
)
def test_the_body_is_framed_in_one_way(raw: bytes, length: int | None, lasting: bool) -> None:
    found = parse_head(raw)
    assert (found.length, found.lasting) == (length, lasting)


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5,6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5 6\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length: 5\xa0\r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length : 5\r\n",
        b"Content-Length\r\n",
        b" Content-Length: 5\r\n",
        b"X: a\r\n b\r\n",
        b"X: a\r\n\tb\r\n",
        b"X: a\nContent-Length: 5\r\n",
        b"X: a\rContent-Length: 5\r\n",
        b"X: a\0b\r\n",
        b"X\0: a\r\n",
        b"X: a\x0bb\r\n",
        b": a\r\n",
        b"X Y: a\r\n",
        b"\xc3\xa4: a\r\n",
        b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        b"X-API-Key: a\r\nX-Api-Key: b\r\n",
        b"Content-Type: application/json\r\ncontent-type: text/csv\r\n",
        b"Host: y\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(lines: bytes) -> None:
    assert refused(head(HOST + lines)) == 400


@pytest.mark.parametrize(
    "coding",
    [b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked\xa0", b"\x85chunked", b"chunked;q=1",
     b"xchunked", b"chunked,", b",chunked", b"\"chunked\"", b""],
)  # fmt: skip
def test_another_transfer_coding_than_chunked_is_refused(coding: bytes) -> None:
    assert refused(head(HOST + b"Transfer-Encoding: " + coding + b"\r\n")) in (400, 501)


@pytest.mark.parametrize("coding", [b"\x0bchunked", b"chunked\x0c", b"chunked\x1f", b"chunked\x00"])
def test_a_coding_dressed_in_control_characters_is_refused(coding: bytes) -> None:
    assert refused(head(HOST + b"Transfer-Encoding: " + coding + b"\r\n")) in (400, 501)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"POST /v1/predict HTTP/2.0", 505),
        (b"POST /v1/predict HTTP/3.0", 400),
        (b"POST /v1/predict HTTP/0.9", 505),
        (b"POST /v1/predict HTTP/1.2", 400),
        (b"POST\t/v1/predict\tHTTP/1.1", 400),
        (b"POST /v1/predict HTTP/1.1 ", 400),
        (b"POST /v1/predict HTTP/1", 400),
        (b"POST /v1/predict http/1.1", 400),
        (b"POST /v1/predict", 400),
        (b"GET http://x/v1/predict HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"CONNECT x:443 HTTP/1.1", 400),
        (b"GET v1 HTTP/1.1", 400),
        (b"GET  /v1 HTTP/1.1", 400),
        (b"GET /v1  HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /\0 HTTP/1.1", 400),
        (b"get / HTTP/1.1", 400),
        (b"G@T / HTTP/1.1", 400),
        (b"", 400),
    ],
)
def test_another_first_line_is_refused(start: bytes, status: int) -> None:
    assert refused(head(start=start)) == status


def test_http_1_1_names_its_host_once() -> None:
    assert refused(head(b"")) == 400
    assert refused(head(HOST + HOST)) == 400


def test_a_head_of_http_1_0_has_no_chunks() -> None:
    assert refused(head(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0")) == 400


def test_more_headers_than_anybody_needs_are_refused() -> None:
    lines = [b"X-%d: a\r\n" % number for number in range(100)]
    assert len(parse_head(head(HOST + b"".join(lines[:99]))).headers) == 100
    assert refused(head(HOST + b"".join(lines))) == 431


def test_headers_that_may_come_twice_are_joined() -> None:
    found = parse_head(head(HOST + b"Accept: a\r\nAccept: b\r\nExpect: 100-Continue\r\n"))
    assert (found.headers["accept"], found.expects) == ("a, b", True)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_head_or_is_refused(content: bytes) -> None:
    try:
        found = parse_head(head(HOST + content))
    except BadHead:
        return
    assert found.length is None or found.length >= 0


@given(
    st.lists(st.sampled_from([b"Content-Length: 3", b"Transfer-Encoding: chunked", b"X: a", b"Connection: close"])),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\n "]),
)
def test_a_head_that_passes_says_its_length_once(lines: list[bytes], end: bytes) -> None:
    framing = [line for line in lines if not line.startswith((b"X", b"Con:", b"Connection"))]
    try:
        found = parse_head(head(HOST + b"".join(line + end for line in lines)))
    except BadHead:
        assert len(framing) > 1 or end != b"\r\n"
    else:
        assert not lines or end == b"\r\n"
        assert found.length == (0 if not framing else 3 if framing[0].startswith(b"Content") else None)


def test_the_same_head_is_read_once() -> None:
    heads = Heads()
    first = heads.read(head())
    assert heads.read(head()) is first
    assert heads.read(head(HOST + b"X: a\r\n")) is not first


def test_what_was_refused_is_refused_again_and_remembering_has_an_end() -> None:
    heads = Heads()
    for _ in range(2):
        with pytest.raises(BadHead):
            heads.read(head(b""))
    for number in range(3000):
        heads.read(head(HOST + b"X: %d\r\n" % number))
    assert len(heads.known) <= 1024
    large = head(HOST + b"X: " + b"a" * 5000 + b"\r\n")
    assert heads.read(large) is not heads.read(large)


def test_a_head_of_http_2_is_the_same_kind_of_head() -> None:
    lines = [(":method", "POST"), (":path", "/a%20b?x=1"), (":scheme", "http"), (":authority", "x"), ("cookie", "a=1"),
             ("cookie", "b=2"), ("content-length", "7")]  # fmt: skip
    found, problem = http2_head(lines)
    assert (found.method, found.path, found.query, found.length, problem) == ("POST", "/a b", "x=1", 7, "")
    assert found.headers == {"host": "x", "cookie": "a=1; b=2", "content-length": "7"}
    assert http2_head([*lines, ("x-api-key", "a"), ("x-api-key", "b")])[1]
    assert http2_head([(":method", "OPTIONS"), (":path", "*")])[1]
