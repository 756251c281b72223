"""How far a relation was read: the cursor, and the rows near it by digest, so that none is lost or read twice.

A row may be committed later with the value at which the last load ended. So the next load reads that value again (and
``look_back`` before it) and passes over the rows that it remembers.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.connect.databases.statements import Value, shown
from drivetrain.core.errors import Refused
from drivetrain.ingest.databases.columns import MARK

LIMIT = 20_000
"""Rows that are remembered one by one; of more only the number is."""
_BYTES = 8
_PARSERS: dict[str, Callable[[str], Value]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "str": str,
}


@dataclass(frozen=True)
class Mark:
    """The reader's cursor.

    ``column`` is empty where the whole relation is compared by ``digest``. ``near`` counts the rows at ``value`` (and
    ``look_back`` before it); ``seen`` holds the digests of their ``identity`` columns, unless they are too many.
    """

    column: str = ""
    kind: str = "str"
    value: str = ""
    near: int = 0
    seen: str = ""
    identity: tuple[str, ...] = ()
    rows: int = 0
    digest: str = ""

    @property
    def position(self) -> Value:
        """The last value that was read."""
        return _PARSERS[self.kind](self.value)

    def memory(self) -> Memory:
        """The rows near it."""
        raw = b64decode(self.seen)
        return Memory(self.identity, self.near, [raw[at : at + _BYTES] for at in range(0, len(raw), _BYTES)])


@dataclass
class Memory:
    """Rows by digest of their ``identity`` columns; ``digests`` is cut off where there are too many."""

    identity: tuple[str, ...]
    count: int = 0
    digests: list[bytes] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every row is known by its digest."""
        return len(self.digests) == self.count

    @property
    def text(self) -> str:
        """The digests for a cursor; nothing where they are not complete."""
        return b64encode(b"".join(self.digests)).decode() if self.is_complete else ""

    def add(self, rows: pa.Table) -> None:
        """Remember rows."""
        if self.is_complete and self.count + rows.num_rows <= LIMIT:
            self.digests += self._digests(rows)
        self.count += rows.num_rows

    def unknown(self, rows: pa.Table, possible: pa.BooleanArray) -> pa.BooleanArray:
        """Which rows are not remembered, of those that ``possible`` says may be; forgets each that is found."""
        waiting = Counter(self.digests)
        places = pcompute.indices_nonzero(possible).to_pylist()
        fresh = [True] * rows.num_rows
        for place, digest in zip(places, self._digests(rows.filter(possible)), strict=True):
            if waiting[digest] > 0:
                waiting[digest] -= 1
                fresh[place] = False
        self.digests = list(waiting.elements())
        self.count = len(self.digests)
        return pa.array(fresh, pa.bool_())

    def _digests(self, rows: pa.Table) -> Iterable[bytes]:
        columns = [rows.column(name).cast(pa.string()).to_pylist() for name in self.identity]
        for row in zip(*columns, strict=True):
            yield hashlib.sha256(msgspec.json.encode(row)).digest()[:_BYTES]


def value_of(raw: object, kind: str, where: str) -> Value:
    """What the database gave for a cursor, as a value of that kind (of its own, when empty). Raises Refused."""
    value = _PARSERS[kind](str(raw)) if kind in ("int", "float", "Decimal") else raw
    if type(value).__name__ not in _PARSERS or str(value) in ("nan", "NaN"):
        raise unusable(f"a value of type {type(value).__name__}", where)
    assert isinstance(value, int | float | Decimal | date | str)
    return value


def unusable(what: str, where: str) -> Refused:
    """The error of a cursor that cannot be one."""
    hint = "choose a column of numbers, dates, timestamps or text that only grows"
    return Refused("sql_cursor_unusable", f"{what} cannot be a cursor", where=where, hint=hint)


def before(value: Value, look_back: float | None, where: str) -> Value:
    """The value so far before. Raises Refused for text."""
    if look_back is None:
        return value
    if isinstance(value, datetime):
        return value - timedelta(seconds=look_back)
    if isinstance(value, date):
        return value - timedelta(days=-(-look_back // 86_400))
    if isinstance(value, str):
        raise Refused(
            "sql_cursor_unusable", "there is no looking back in text", where=where, hint="leave `look_back` out"
        )
    if isinstance(value, float):
        return value - look_back
    return value - (math.ceil(look_back) if isinstance(value, int) else Decimal(str(look_back)))


def not_before(rows: pa.Table, value: Value) -> pa.BooleanArray:
    """The rows at or after the value; of text those at it. Perhaps more, where the database compares more finely."""
    column = rows.column(MARK).combine_chunks()
    if isinstance(value, str):
        return pa.array([_folded(one) == _folded(value) for one in column.to_pylist()], pa.bool_())
    return pcompute.greater_equal(*_comparable(column, value))


def not_after(rows: pa.Table, value: Value) -> pa.BooleanArray:
    """The rows at or before the value; of text those at it. Perhaps more."""
    if isinstance(value, str):
        return not_before(rows, value)
    return pcompute.less_equal(*_comparable(rows.column(MARK).combine_chunks(), value))


def _comparable(column: pa.Array, value: Value) -> tuple[pa.Array, pa.Scalar]:
    if pa.types.is_string(column.type):  # decimals, and SQLite's numbers: rounding keeps the order
        return column.cast(pa.float64()), pa.scalar(float(str(value)), pa.float64())
    return column, pa.scalar(int(str(value)) if pa.types.is_integer(column.type) else value, column.type)


def _folded(text: str) -> str:
    """What collations without case, accents or trailing blanks take for the same."""
    plain = unicodedata.normalize("NFKD", text.rstrip()).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def last_value(rows: pa.Table, kind: str, where: str) -> Value:
    """The cursor of the last row."""
    return value_of(rows.column(MARK)[-1].as_py(), kind, where)


def mark_of(column: str, value: Value, memory: Memory) -> Mark:
    """A cursor at ``value`` with the rows near it."""
    return Mark(column, type(value).__name__, shown(value), memory.count, memory.text, memory.identity)
