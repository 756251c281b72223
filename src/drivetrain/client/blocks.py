"""A list of any length as requests of bounded size, each written as JSON or as NDJSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from numbers import Integral, Real
from typing import NamedTuple

import msgspec

from drivetrain.core.errors import InvalidInput

Value = str | int | float | bool | date | datetime | None
Row = Mapping[str, Value]
"""One case: the value of each input by its name. A missing value is None or left out; NaN is sent as missing."""

JSON, NDJSON = "application/json", "application/x-ndjson"
_BLOCK_BYTES = 512 * 1024


class Form(NamedTuple):
    """How a list is asked about: where, in which type, what stands around and between its items, how many at first.

    ``repeatable`` says that telling the same twice is telling it once. ``partial`` says that an answer that broke off
    is of use as far as it came.
    """

    path: str
    media: str
    opening: bytes
    between: bytes
    closing: bytes
    most: int
    repeatable: bool = False
    partial: bool = False


PREDICT = Form("/v1/predict", JSON, b'{"rows":[', b",", b"]}", 1000)
EXPLAIN = Form("/v1/predict", JSON, b'{"rows":[', b",", b'],"explain":true}', 100)
STREAM = Form("/v1/predict", NDJSON, b"", b"\n", b"\n", 1000, partial=True)
LABELS = Form("/v1/labels", JSON, b'{"labels":[', b",", b"]}", 1000, repeatable=True)


class Block(NamedTuple):
    """Some neighbours of a list, as JSON each; ``start`` is the place of the first in the whole list."""

    start: int
    items: list[bytes]

    def body(self, form: Form) -> bytes:
        """The request that holds them."""
        return form.opening + form.between.join(self.items) + form.closing

    def halves(self) -> tuple[Block, Block]:
        """The same as two blocks."""
        half = len(self.items) // 2
        return Block(self.start, self.items[:half]), Block(self.start + half, self.items[half:])


def blocks(items: Iterable[object], most: Callable[[], int], name: str) -> Iterator[Block]:
    """The items in blocks of at most ``most()`` and about 512 KiB; takes from ``items`` only what the next block needs.

    Raises InvalidInput for an item that JSON has no word for, after the blocks before it; ``name`` is what the list is
    called there.
    """
    start, size = 0, 0
    block: list[bytes] = []
    for number, item in enumerate(items):
        try:
            encoded = _JSON.encode(item)
        except (TypeError, ValueError, RecursionError) as error:
            if block:
                yield Block(start, block)
            raise _unsendable(f"{name}[{number}]", error) from None
        if block and (len(block) >= most() or size + len(encoded) > _BLOCK_BYTES):
            yield Block(start, block)
            start, block, size = number, [], 0
        block.append(encoded)
        size += len(encoded)
    if block:
        yield Block(start, block)


def _unsendable(where: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        "value_unsendable",
        f"this cannot be written as JSON: {error}",
        where=where,
        hint="send a mapping of names to texts, numbers, True or False, None, dates and times",
    )


def _plain(value: object) -> object:
    """Other people's mappings and numbers (NumPy's, say) as Python's own."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"there is no JSON for {type(value).__name__}")


_JSON = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
