"""Deliveries as rows: what JSON they hold, and what it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.pushed import WebhookSource
from drivetrain.ingest.flat_columns import Record, columns_of, names_of
from drivetrain.ingest.reading import Batch, BrokenRow
from drivetrain.ingest.webhook.inbox import Kept

_METADATA = {"webhook_id": ColumnType.TEXT, "received_at": ColumnType.TIMESTAMP}
_SHAPES = 1_000
_one = msgspec.json.Decoder(dict[str, object])
_many = msgspec.json.Decoder(list[dict[str, object]])


class NoRows(ValueError):
    """The body is not JSON, or holds no objects. Its text is for the caller."""


def rows_of(body: bytes) -> Sequence[Record]:
    """The objects in a body: one, a list of them, or one in each line. Raises NoRows."""
    start = body.lstrip()[:1]
    try:
        if start == b"[":
            return _many.decode(body)
        try:
            return [_one.decode(body)]
        except msgspec.DecodeError:
            lines = [line for line in body.splitlines() if line.strip()]
            if len(lines) < 2:
                raise
            return [_one.decode(line) for line in lines]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoRows(f"the body is no JSON object, list of objects, or object in each line: {error}") from None


@dataclass
class DeliveryRows:
    """Takes the deliveries of one source apart."""

    spec: WebhookSource
    _spelled: dict[str, str] = field(default_factory=dict)
    _fine: set[tuple[str, ...] | None] = field(default_factory=set)

    def batches(self, deliveries: Sequence[Kept], done: int) -> Iterator[Batch]:
        """The rows of some deliveries, as one batch."""
        records: list[Record] = []
        numbers: list[int] = []
        broken: list[BrokenRow] = []
        sources: list[Kept] = []
        for one in deliveries:
            for number, record in enumerate(rows_of(one.body), one.first):
                reason = self._misnamed(record)
                if reason:
                    text = msgspec.json.encode(record).decode()
                    broken.append(BrokenRow(number, text, reason))
                else:
                    records.append(record)
                    numbers.append(number)
                    sources.append(one)
        columns: dict[str, pa.Array] = dict(columns_of(records, self.spec.depth))
        if self.spec.metadata:
            columns["webhook_id"] = pa.array([one.name for one in sources], pa.string())
            moments = [datetime.fromtimestamp(one.at, UTC).isoformat() for one in sources]
            columns["received_at"] = pa.array(moments, pa.string())
        declared = Schema(tuple(Column(*one) for one in _METADATA.items())) if self.spec.metadata else None
        yield Batch(
            self.spec.path, pa.table(columns), pa.array(numbers, pa.int64()), tuple(broken), declared=declared,
            optional_fields=True, done=done,
        )  # fmt: skip

    def _misnamed(self, record: Record) -> str:
        """SQL does not see upper and lower case: one row with another spelling must not stop the others."""
        shape = None if any(type(value) is dict for value in record.values()) else tuple(record)
        if shape in self._fine:
            return ""
        names = names_of(record, self.spec.depth)
        if not names:
            return "the object has no fields"
        for name in names:
            if not name or name.lower().startswith("drivetrain_"):
                return f"a column cannot be called {name!r}"
            if self.spec.metadata and name in _METADATA:
                return f"the object has a field {name!r} of its own; `metadata: false` keeps it"
            known = self._spelled.setdefault(name.lower(), name)
            if known != name:
                return f"the field {name!r} is called {known!r} in other rows"
        if shape is not None and len(self._fine) < _SHAPES:
            self._fine.add(shape)
        return ""
