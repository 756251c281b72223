"""A body while it arrives: by its length or in chunks, gathered or handed on part by part."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from drivetrain.connect.http.chunks import Chunks

_PROGRESS_BYTES = 1024


class Body:
    """The body of one request. ``length`` is None when nobody said it; then it comes in chunks unless ``framed``.

    ``patience`` is how many seconds the caller of a stream may still be waited for, until they send enough again.
    """

    def __init__(self, length: int | None, limit: float, *, framed: bool = False) -> None:
        self.limit = limit
        self.patience = 0.0
        self.late = False
        self.size = 0
        self.held = 0
        self.over = False
        self.parts: deque[bytes] = deque()
        self._length = length
        self._chunks = Chunks() if length is None and not framed else None
        self._news = asyncio.Event()
        self._seen = 0

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; gives what came behind it. Raises BadChunk."""
        if self._chunks is not None:
            self.arrived(self._chunks.feed(data), over=self._chunks.done)
            return self._chunks.rest
        wanted = (self._length or 0) - self.size
        self.arrived(data[:wanted], over=len(data) >= wanted)
        return data[wanted:]

    def arrived(self, part: bytes, *, over: bool) -> None:
        """A part is here; ``over``: it was the last one."""
        if part:
            self.size += len(part)
            self.held += len(part)
            self.parts.append(part)
        self.over = over
        self._news.set()

    def left(self) -> float:
        """How many bytes are still to come; of chunks nobody knows."""
        return math.inf if self._length is None else self._length - self.size

    def joined(self) -> bytes:
        """What is here of it."""
        return b"".join(self.parts)

    def progressed(self) -> bool:
        """Whether enough has arrived since the last time to say that the caller is alive."""
        if self.size - self._seen < _PROGRESS_BYTES:
            return False
        self._seen = self.size
        return True

    @property
    def awaited(self) -> bool:
        """Whether there is nothing to read before the caller sends more."""
        return not self.parts and not self.over

    def give_up(self) -> None:
        """The caller was waited for long enough."""
        self.late = True
        self._news.set()

    async def next(self) -> bytes:
        """What has arrived since the last time; empty at the end. Raises TimeoutError when the caller is too slow."""
        while self.awaited and not self.late:
            self._news.clear()
            await self._news.wait()
        if self.awaited:
            raise TimeoutError
        arrived = self.joined()
        self.parts.clear()
        self.held = 0
        return arrived
