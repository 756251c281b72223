"""What a caller sends over HTTP/2, cut into frames (RFC 9113, section 4.1) and judged before anybody works on them.

h2 reads the frames; it would hold 16 MB of a frame before it refused its size, and a megabyte of a head that never
ends. It answers every ping, reset or setting, so a caller who sends nothing else could keep a worker busy.
"""

from __future__ import annotations

from h2.errors import ErrorCodes

LARGEST = 16 * 1024
"""Bytes in one frame: the default of the protocol, and all that is allowed here."""

_PREFACE_BYTES = 24
_BEFORE = 9
_DATA, _HEADERS, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 8, 9
_END_STREAM, _END_HEADERS = 1, 4
_SMALL_WINDOW = 1024
_FRAMES_A_TURN = 32
_IDLE_A_SECOND = 1000


class FrameRefused(ValueError):
    """The connection has to end; ``code`` tells the caller why."""

    def __init__(self, code: ErrorCodes) -> None:
        super().__init__(code.name)
        self.code = code


class Frames:
    """The bytes of one caller, frame by frame. ``most_head_bytes`` bounds one head, compressed as it comes."""

    def __init__(self, most_head_bytes: int) -> None:
        self._most_head_bytes = most_head_bytes
        self._buffer = bytearray()
        self._preface = _PREFACE_BYTES
        self._head = 0  # bytes so far of a head whose end is not here
        self._idle = 0
        self._idle_since = 0.0

    def add(self, data: bytes) -> None:
        """More has arrived."""
        self._buffer += data

    @property
    def ready(self) -> bool:
        """Whether there is a whole frame to take."""
        return len(self._buffer) >= _BEFORE and len(self._buffer) >= _BEFORE + int.from_bytes(self._buffer[:3])

    @property
    def cut(self) -> bool:
        """Whether the caller has begun something that is no body, and has not ended it."""
        return self._head > 0 or self._preface > 0 or (bool(self._buffer) and self._buffer[3:4] != bytes([_DATA]))

    def take(self, now: float) -> bytes:
        """Whole frames for one turn of the loop; empty when there is none. Raises FrameRefused."""
        at = min(self._preface, len(self._buffer))
        self._preface -= at
        for _ in range(_FRAMES_A_TURN):
            if len(self._buffer) < at + _BEFORE:
                break
            size, kind, flags = int.from_bytes(self._buffer[at : at + 3]), self._buffer[at + 3], self._buffer[at + 4]
            if size > LARGEST:
                raise FrameRefused(ErrorCodes.FRAME_SIZE_ERROR)
            end = at + _BEFORE + size
            if len(self._buffer) < end:
                break
            self._judge_head(kind, flags, size)
            if self._asks_for_nothing(kind, flags, self._buffer[at + _BEFORE : min(end, at + _BEFORE + 4)]):
                self._count(now)
            at = end
        taken = bytes(self._buffer[:at])
        del self._buffer[:at]
        return taken

    def _judge_head(self, kind: int, flags: int, size: int) -> None:
        if kind not in (_HEADERS, _CONTINUATION):
            return
        self._head += size
        if self._head > self._most_head_bytes:
            raise FrameRefused(ErrorCodes.ENHANCE_YOUR_CALM)
        if flags & _END_HEADERS:
            self._head = 0

    @staticmethod
    def _asks_for_nothing(kind: int, flags: int, begin: bytearray) -> bool:
        """Whether a frame brings neither a head, nor bytes of a body, nor room for an answer worth speaking of."""
        if kind == _DATA:
            return not begin and not flags & _END_STREAM
        if kind == _WINDOW_UPDATE:
            return int.from_bytes(begin) & 0x7FFFFFFF < _SMALL_WINDOW
        return kind not in (_HEADERS, _CONTINUATION)

    def _count(self, now: float) -> None:
        if now - self._idle_since > 1.0:
            self._idle, self._idle_since = 0, now
        self._idle += 1
        if self._idle > _IDLE_A_SECOND:
            raise FrameRefused(ErrorCodes.ENHANCE_YOUR_CALM)
