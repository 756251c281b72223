"""An Arrow IPC stream cut into its messages while it arrives, with nothing believed and nothing held that is too large.

The format: https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format. The few fields of a
message's metadata that are needed here are read from the flatbuffer (https://flatbuffers.dev/internals) by hand: what
a message contains is for Arrow itself, once it is whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drivetrain.core.errors import InvalidInput

SCHEMA, DICTIONARY, BATCH = 1, 2, 3
"""Kinds of messages: https://github.com/apache/arrow/blob/main/format/Message.fbs, union MessageHeader."""
LARGEST_METADATA = 1024 * 1024

_BEGIN = struct.Struct("<II")
_MARK = 0xFFFFFFFF
_ALIGNED = 8
_VERSION_FIELD, _KIND_FIELD, _HEADER_FIELD, _LENGTH_FIELD = range(4)
_DATA_OF_DICTIONARY = 1
_COMPRESSION_OF_BATCH = 3


class Message(NamedTuple):
    """One whole message: what it is, and its bytes from its mark to the end of its body."""

    kind: int
    content: bytes


class Messages:
    """Takes bytes as they come, gives messages of at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._wanted = 0  # bytes of the message that is arriving, once known
        self._kind = 0
        self._ended = False

    def feed(self, part: bytes) -> Iterator[Message]:
        """The messages that are whole now. Raises InvalidInput for what is no Arrow stream, or is not taken here."""
        self._buffer += part
        while not self._ended and self._begun():
            if len(self._buffer) < self._wanted:
                return
            content = bytes(self._buffer[: self._wanted])
            del self._buffer[: self._wanted]
            self._wanted = 0
            yield Message(self._kind, content)
        if self._ended and self._buffer:
            raise invalid("there are bytes behind the end of the stream")

    def end(self) -> None:
        """Nothing more comes; raises InvalidInput when that is in the middle of a message."""
        if self._buffer:
            raise invalid("the stream ends in the middle of a message")

    def _begun(self) -> bool:
        """Whether the size of the next message is known."""
        if self._wanted:
            return True
        if len(self._buffer) < _BEGIN.size:
            return False
        mark, size = _BEGIN.unpack_from(self._buffer)
        if mark != _MARK or size % _ALIGNED:
            raise invalid("a message does not begin as it should")
        if size == 0:
            del self._buffer[: _BEGIN.size]
            self._ended = True
            return False
        if size > LARGEST_METADATA:
            raise _too_large(f"the metadata of a message has {size} bytes", LARGEST_METADATA)
        if len(self._buffer) < _BEGIN.size + size:
            return False
        metadata = _Table.root(bytes(self._buffer[_BEGIN.size : _BEGIN.size + size]))
        length = metadata.number(_LENGTH_FIELD, "<q")
        if length < 0 or length % _ALIGNED:
            raise invalid("a message has a length that cannot be")
        if _BEGIN.size + size + length > self._most:
            raise _too_large(f"a message has {_BEGIN.size + size + length} bytes", self._most)
        self._kind = metadata.number(_KIND_FIELD, "<B")
        _refuse_compressed(self._kind, metadata)
        self._wanted = _BEGIN.size + size + length
        return True


def invalid(why: str) -> InvalidInput:
    """The body is not what its media type says."""
    return InvalidInput(
        "arrow_invalid",
        f"the body is no Arrow IPC stream: {why}",
        where="body",
        hint="write it with pyarrow.ipc.new_stream",
    )


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        self._fields = at - _read(content, at, "<i")
        self._size = _read(content, self._fields, "<H")

    @classmethod
    def root(cls, content: bytes) -> _Table:
        return cls(content, _read(content, 0, "<I"))

    def place(self, field: int) -> int:
        """Where a field stands; 0 when it is left out."""
        entry = 4 + 2 * field
        offset = _read(self._content, self._fields + entry, "<H") if entry + 2 <= self._size else 0
        return self._at + offset if offset else 0

    def number(self, field: int, form: str) -> int:
        place = self.place(field)
        return _read(self._content, place, form) if place else 0

    def table(self, field: int) -> _Table | None:
        place = self.place(field)
        return _Table(self._content, place + _read(self._content, place, "<I")) if place else None


def _read(content: bytes, at: int, form: str) -> int:
    if not 0 <= at <= len(content) - struct.calcsize(form):
        raise invalid("the metadata of a message point outside of it")
    (value,) = struct.unpack_from(form, content, at)
    return int(value)


def _refuse_compressed(kind: int, metadata: _Table) -> None:
    """A small compressed buffer may hold more than there is memory for."""
    batch = metadata.table(_HEADER_FIELD)
    if kind == DICTIONARY and batch is not None:
        batch = batch.table(_DATA_OF_DICTIONARY)
    if kind in (DICTIONARY, BATCH) and batch is not None and batch.place(_COMPRESSION_OF_BATCH):
        raise InvalidInput(
            "arrow_compressed", "the buffers are compressed", where="body", hint="write the stream without compression"
        )


def _too_large(what: str, most: int) -> InvalidInput:
    return InvalidInput(
        "body_too_large",
        f"{what}, and at most {most} are taken",
        where="body",
        hint="send batches of fewer rows, such as write_table(table, max_chunksize=10_000)",
    )
