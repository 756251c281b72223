"""What PostgreSQL's output plugin ``pgoutput`` says (protocol version 1), message by message.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from drivetrain.core.errors import InvalidInput


class Unsent(Enum):
    """Stands for a value that was not sent: a large one, stored apart, that the change did not touch."""

    UNSENT = auto()


Value = bytes | None | Unsent
"""The text of a value in UTF-8, missing, or not sent."""
Values = tuple[Value, ...]


@dataclass(frozen=True)
class Begun:
    """A transaction begins; ``commit`` is the place of its end in the log."""

    commit: int


@dataclass(frozen=True)
class Committed:
    """It is complete; ``end`` is the place after it."""

    end: int


@dataclass(frozen=True)
class Described:
    """The columns of a table from here on: name, type and modifier of the type."""

    table: int
    names: tuple[str, ...]
    types: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Changed:
    """A row: ``old`` before (None: not told), ``new`` after (None: deleted), by the columns described last.

    Where only what names the row was told of ``old``, the rest of it was not sent.
    """

    table: int
    old: Values | None
    new: Values | None


Message = Begun | Committed | Described | Changed

_long, _ints, _head = struct.Struct(">Q"), struct.Struct(">Ii"), struct.Struct(">I")
_count, _length = struct.Struct(">H"), struct.Struct(">i")
_NULL, _UNCHANGED = ord("n"), ord("u")
_NEW, _KEY = ord("N"), ord("K")


def parse(message: bytes) -> Message | None:
    """What a message says; None for those that say nothing of rows. Raises InvalidInput for one that is broken."""
    parser = _PARSERS.get(message[:1])
    if parser is None:
        return None
    try:
        return parser(message)
    except (struct.error, IndexError, ValueError):
        raise InvalidInput(
            "cdc_message_broken", "the server sent a change that cannot be taken apart", where=repr(message[:20])
        ) from None


def _begun(message: bytes) -> Begun:
    return Begun(_long.unpack_from(message, 1)[0])


def _committed(message: bytes) -> Committed:
    return Committed(_long.unpack_from(message, 10)[0])


def _described(message: bytes) -> Described:
    table = _head.unpack_from(message, 1)[0]
    at = message.index(b"\0", message.index(b"\0", 5) + 1) + 2  # behind schema, name and identity
    (count,) = _count.unpack_from(message, at)
    at += 2
    names, types = [], []
    for _ in range(count):
        end = message.index(b"\0", at + 1)
        names.append(message[at + 1 : end].decode())
        types.append(_ints.unpack_from(message, end + 1))
        at = end + 9
    return Described(table, tuple(names), tuple(types))


def _inserted(message: bytes) -> Changed:
    return Changed(_head.unpack_from(message, 1)[0], None, _values(message, 6)[0])


def _updated(message: bytes) -> Changed:
    table, old, at = _head.unpack_from(message, 1)[0], None, 5
    if message[at] != _NEW:
        old, at = _old(message, at)
    return Changed(table, old, _values(message, at + 1)[0])


def _deleted(message: bytes) -> Changed:
    return Changed(_head.unpack_from(message, 1)[0], _old(message, 5)[0], None)


def _old(message: bytes, at: int) -> tuple[Values, int]:
    values, end = _values(message, at + 1)
    if message[at] == _KEY:
        values = tuple(Unsent.UNSENT if value is None else value for value in values)
    return values, end


def _values(message: bytes, at: int) -> tuple[Values, int]:
    """The values of a row that begins there, and the place behind it."""
    (count,) = _count.unpack_from(message, at)
    at += 2
    values: list[Value] = []
    for _ in range(count):
        kind = message[at]
        if kind == _NULL:
            values.append(None)
            at += 1
        elif kind == _UNCHANGED:
            values.append(Unsent.UNSENT)
            at += 1
        else:
            (length,) = _length.unpack_from(message, at + 1)
            at += 5 + length
            if length < 0 or at > len(message):
                raise ValueError
            values.append(message[at - length : at])
    return tuple(values), at


_PARSERS: dict[bytes, Callable[[bytes], Message]] = {
    b"B": _begun,
    b"C": _committed,
    b"R": _described,
    b"I": _inserted,
    b"U": _updated,
    b"D": _deleted,
}
