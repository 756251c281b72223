"""Bodies that come in chunks (RFC 9112, section 7.1), decoded strictly: what is not plain ends the connection."""

from __future__ import annotations

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LONGEST_LINE = 1024
_MOST_TRAILERS = 8192


class BadChunk(ValueError):
    """The body is not framed as it should be."""


class Chunks:
    """Takes bytes as they arrive, gives the bytes of the body; ``rest`` is what came behind its end."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._buffer = bytearray()
        self._left = 0  # of the chunk that is arriving, with the CRLF behind it
        self._trailers = -1  # bytes of trailers so far; -1 before the last chunk

    def feed(self, data: bytes) -> bytes:
        """The part of the body in ``data``. Raises BadChunk."""
        self._buffer += data
        parts = []
        while not self.done:
            part = self._trailer() if self._trailers >= 0 else self._chunk() if self._left else self._size()
            if part is None:
                break
            parts.append(part)
        if self.done:
            self.rest, self._buffer = bytes(self._buffer), bytearray()
        return b"".join(parts)

    def _line(self, longest: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, longest + 2)
        if end < 0:
            if len(self._buffer) > longest + 1 or b"\n" in self._buffer[:longest]:
                raise BadChunk("a line of the chunked body does not end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if b"\n" in line or b"\r" in line:
            raise BadChunk("lines of a chunked body end with CRLF")
        return line

    def _size(self) -> bytes | None:
        line = self._line(_LONGEST_LINE)
        if line is None:
            return None
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BadChunk("a chunk begins with its size in hexadecimal")
        size = int(found[1], 16)
        if size:
            self._left = size + 2
        else:
            self._trailers = 0
        return b""

    def _chunk(self) -> bytes | None:
        if not self._buffer:
            return None
        taken = bytes(self._buffer[: self._left])
        before, self._left = self._left, self._left - len(taken)
        del self._buffer[: len(taken)]
        content, end = taken[: max(0, before - 2)], taken[max(0, before - 2) :]
        if not b"\r\n"[max(0, 2 - before) :].startswith(end):
            raise BadChunk("a chunk ends with CRLF")
        return content

    def _trailer(self) -> bytes | None:
        """Trailers are read and forgotten: nothing here means anything by them."""
        line = self._line(_MOST_TRAILERS)
        if line is None:
            return None
        self._trailers += len(line)
        if self._trailers > _MOST_TRAILERS:
            raise BadChunk("the trailers are too long")
        self.done = not line
        return b""
