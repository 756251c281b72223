"""JSON into typed values, from any thread.

msgspec (0.20) looks at a dataclass when it is first decoded. Two threads that do so at once for the same class, or for
two that share a part, can bring the whole process down with a segmentation fault. So the looking is done by one
thread at a time, and once.
"""

from __future__ import annotations

from threading import Lock
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")
_LOOKING = Lock()
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


def read_json(content: bytes | str, kind: type[T]) -> T:
    """The value of type ``kind`` that ``content`` holds; raises msgspec.DecodeError, also where the type is another."""
    decoder = _decoders.get(kind)
    if decoder is None:
        with _LOOKING:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return cast("T", decoder.decode(content))
