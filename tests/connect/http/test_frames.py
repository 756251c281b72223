"""Frames are cut wherever the bytes of a caller are, and nothing is held that nobody may send."""

from __future__ import annotations

import struct

import pytest
from h2.errors import ErrorCodes
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.connect.http.frames import LARGEST, FrameRefused, Frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int = 0, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, 1) + body


def begun() -> Frames:
    frames = Frames(1000)
    frames.add(PREFACE)
    assert frames.take(0.0) == PREFACE
    return frames


ANY = st.builds(frame, st.just(DATA), st.integers(2, 255), st.binary(max_size=50))


@given(st.lists(ANY, max_size=80), st.lists(st.integers(1, 60), min_size=1))
def test_all_that_is_added_is_taken_in_whole_frames(sent: list[bytes], cuts: list[int]) -> None:
    frames, taken = Frames(1000), []
    stream, turn = PREFACE + b"".join(sent), 0
    while stream:
        size = cuts[turn % len(cuts)]
        frames.add(stream[:size])
        stream, turn = stream[size:], turn + 1
        taken.append(frames.take(float(turn)))
    while frames.ready:
        taken.append(frames.take(float(turn)))
    ends = {0, len(PREFACE)}
    for each in sent:
        ends.add(max(ends) + len(each))
    assert b"".join(taken) == PREFACE + b"".join(sent)
    places = [sum(map(len, taken[:at])) for at in range(len(taken))]
    assert all(place in ends for place in places if place > len(PREFACE))


def test_a_turn_has_a_bounded_number_of_frames() -> None:
    frames = begun()
    frames.add(frame(DATA, 0, b"x") * 1000)
    turns = 0
    while frames.ready:
        assert len(frames.take(0.0)) <= 32 * 10
        turns += 1
    assert turns >= 31


def test_a_frame_that_is_too_large_is_refused_before_it_is_here() -> None:
    frames = begun()
    frames.add(frame(DATA, 0, bytes(LARGEST)) + struct.pack(">I", LARGEST + 1)[1:] + bytes(6))
    with pytest.raises(FrameRefused) as refused:
        frames.take(0.0)
    assert refused.value.code is ErrorCodes.FRAME_SIZE_ERROR


@pytest.mark.parametrize("sizes", [(1001,), (600, 401), (400, 300, 301)])
def test_a_head_is_bounded_in_however_many_frames(sizes: tuple[int, ...]) -> None:
    frames = begun()
    for number, size in enumerate(sizes):
        frames.add(frame(CONTINUATION if number else HEADERS, 0, bytes(size)))
    with pytest.raises(FrameRefused) as refused:
        frames.take(0.0)
    assert refused.value.code is ErrorCodes.ENHANCE_YOUR_CALM


def test_heads_that_end_do_not_add_up() -> None:
    frames = begun()
    for _ in range(5):
        frames.add(frame(HEADERS, 0, bytes(400)) + frame(CONTINUATION, END_HEADERS, bytes(600)))
    assert sum(len(frames.take(0.0)) for _ in range(2)) == 5 * 1018


@pytest.mark.parametrize("kind", [2, 3, 4, PING, 7, 10, 99])
def test_frames_that_ask_for_nothing_are_counted_by_the_second(kind: int) -> None:
    frames = begun()
    for second in range(3):
        for turn in range(10):
            frames.add(frame(kind, 0, b"12345678") * 100)
            while frames.ready:
                frames.take(10.0 * second + turn / 100)
    frames.add(frame(kind, 0, b"12345678"))
    with pytest.raises(FrameRefused) as refused:
        frames.take(20.5)
    assert refused.value.code is ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "asks",
    [
        frame(HEADERS, END_HEADERS, b"\x82"),
        frame(DATA, 0, b"x"),
        frame(DATA, END_STREAM),
        frame(WINDOW_UPDATE, 0, struct.pack(">I", 1024)),
    ],
)
def test_frames_that_ask_for_something_are_not(asks: bytes) -> None:
    frames = begun()
    frames.add(asks * 5000)
    while frames.ready:
        frames.take(0.0)


@pytest.mark.parametrize(
    ("sent", "cut"),
    [
        (b"", False),
        (frame(DATA, 0, b"12"), False),
        (frame(DATA, 0, b"12")[:10], False),
        (frame(DATA, 0, b"12")[:3], True),
        (frame(PING, 0, bytes(8))[:12], True),
        (frame(HEADERS, 0, b"1"), True),
        (frame(HEADERS, 0, b"1") + frame(CONTINUATION, END_HEADERS, b"1"), False),
    ],
)
def test_it_is_known_when_something_was_begun_that_has_to_end_soon(sent: bytes, cut: bool) -> None:
    frames = begun()
    frames.add(sent)
    frames.take(0.0)
    assert frames.cut is cut


def test_a_preface_has_to_end_soon_too() -> None:
    frames = Frames(1000)
    frames.add(PREFACE[:23])
    assert frames.take(0.0) == PREFACE[:23]
    assert frames.cut
