"""JSON with exactly one spelling: a file counts only when it is, byte for byte, what we would write ourselves.

A signature covers the payload of an envelope, not the envelope's own bytes. Reading those exactly leaves no byte of a
release that could be changed unseen: no other white space, order, escape, number format, base64 padding or extra key.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from drivetrain.access.sealed import changed
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import canonical_json

T = TypeVar("T")
_MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)


def encode(value: object) -> bytes:
    """The one spelling of a value: UTF-8, one item a line, a final newline, so that people can read it too."""
    return msgspec.json.format(canonical_json(value), indent=1) + b"\n"


def decode(content: bytes, kind: type[T], name: str) -> T:
    """The value that ``encode`` wrote into the file ``name``; raises Tampered for any other bytes."""
    try:
        value = read_json(content, kind)
        exact = encode(value) == content
    except _MALFORMED as error:
        raise changed(name, str(error)) from None
    if not exact:
        raise changed(name, "the same content is spelled another way")
    return value
