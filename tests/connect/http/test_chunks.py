"""Bodies in chunks: whatever way they are cut, the same bytes come out, and what is behind them stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.connect.http.chunks import BadChunk, Chunks

cuts = st.lists(st.integers(1, 40), max_size=30)
ends = st.sampled_from([b"\r\n", b"X: a\r\n\r\n", b"X: a\r\nY: b\r\n\r\n"])
sizes = st.sampled_from([b"%x", b"%X", b"000%x", b"%x ", b"%x;name=value", b'%x ; a="b"'])


def encoded(parts: list[bytes], size: bytes = b"%x", end: bytes = b"\r\n") -> bytes:
    chunks = [size % len(part) + b"\r\n" + part + b"\r\n" for part in parts if part]
    return b"".join(chunks) + b"0\r\n" + end


def pieces(content: bytes, cut: list[int]) -> list[bytes]:
    found = []
    for width in cut:
        found.append(content[:width])
        content = content[width:]
    return [*found, content]


def read(given_pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """The body, what came behind it, and whether it ended."""
    chunks, body, rest = Chunks(), b"", b""
    for piece in given_pieces:
        if chunks.done:
            rest += piece
        else:
            body += chunks.feed(piece)
            rest += chunks.rest
    return body, rest, chunks.done


@given(st.lists(st.binary(max_size=50), max_size=6), sizes, ends, st.binary(max_size=30), cuts)
def test_any_body_comes_out_whole_and_leaves_what_is_behind(
    parts: list[bytes], size: bytes, end: bytes, behind: bytes, cut: list[int]
) -> None:
    content = encoded(parts, size, end) + behind
    assert read(pieces(content, cut)) == (b"".join(parts), behind, True)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=4), st.integers(1, 400))
def test_a_body_that_is_not_whole_does_not_end(parts: list[bytes], missing: int) -> None:
    content = encoded(parts)
    body, rest, done = read([content[: -min(missing, len(content))]])
    assert not done
    assert rest == b""
    assert b"".join(parts).startswith(body)


BAD = [
    b"g\r\n", b"\r\n", b" 5\r\nhello\r\n", b"-5\r\n", b"+5\r\n", b"0x5\r\nhello\r\n", b"5_0\r\n", b"1" * 16 + b"\r\n",
    b"5\nhello\n", b"5\r\nhelloX\r\n", b"5\r\nhello\n\n", b"5\r\nhello\r\r", b"5\r\nhello0\r\n\r\n", b";a\r\n",
    b"5;a\nb\r\nhello\r\n", b"5;a\rb\r\nhello\r\n", b"5;" + b"a" * 2000 + b"\r\n", b"5" * 2000, b"0\r\n\nX: a\r\n\r\n",
    b"0\r\nX: a\nY: b\r\n\r\n", b"0\r\nX: a\rY: b\r\n\r\n", b"0\n\n", b"0\r\n" + b"X: aaaaaaaa\r\n" * 1000,
    b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("content", BAD, ids=lambda content: repr(content[:20]))
def test_what_is_not_plain_is_refused_however_it_arrives(content: bytes) -> None:
    with pytest.raises(BadChunk):
        read([content])
    with pytest.raises(BadChunk):
        read([bytes([byte]) for byte in content])


@given(st.binary(max_size=60), cuts)
def test_whatever_comes_is_read_or_refused_in_the_same_way_however_it_arrives(content: bytes, cut: list[int]) -> None:
    found: list[object] = []
    for way in ([content], pieces(content, cut)):
        try:
            found.append(read(way))
        except BadChunk:
            found.append(None)
    assert found[0] == found[1]
