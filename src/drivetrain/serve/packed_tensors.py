"""Tensors as bytes, as the Open Inference Protocol packs them: what most clients send, in gRPC and behind JSON.

Numbers are little-endian, one after the other; texts have their length before each (uint32). NaN is a missing value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from drivetrain.core.errors import InvalidInput

_NUMBERS = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
KINDS = (*_NUMBERS, "BYTES")
_LENGTH_BYTES = 4

Value = bytes | str | bool | int | float | None


def unpack(kind: str, packed: bytes, where: str) -> list[Value]:
    """The values of a tensor of one of the ``KINDS``, None for NaN. Raises InvalidInput."""
    if kind == "BYTES":
        return [text_of(value, where) for value in _texts(packed, where)]
    number = np.dtype(_NUMBERS[kind])
    if len(packed) % number.itemsize:
        raise _cut_off(where)
    return known(np.frombuffer(packed, number).tolist())


def known(values: Iterable[Value]) -> list[Value]:
    """The values, None for NaN."""
    return [None if value != value else value for value in values]  # noqa: PLR0124 - only NaN is not itself


def pack(kind: str, values: Sequence[Value]) -> bytes:
    """The values of a tensor as bytes."""
    if kind == "BYTES":
        texts = as_bytes(values)
        return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)
    return np.array(values, _NUMBERS[kind]).tobytes()


def as_bytes(values: Sequence[Value]) -> list[bytes]:
    """Texts as BYTES have them."""
    return [value if isinstance(value, bytes) else str(value).encode() for value in values]


def text_of(value: bytes, where: str) -> str:
    """A value of BYTES as text. Raises InvalidInput."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput("field_type", "expected text in UTF-8", where=where, hint="encode it as UTF-8") from None


def _texts(packed: bytes, where: str) -> list[bytes]:
    values, at = [], 0
    while at < len(packed):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(packed[at:begin], "little")
        if max(at, begin) > len(packed):
            raise _cut_off(where)
        values.append(packed[begin:at])
    return values


def _cut_off(where: str) -> InvalidInput:
    return InvalidInput("tensor_shape", "the packed values end in the middle of one", where=where, hint="send all")
