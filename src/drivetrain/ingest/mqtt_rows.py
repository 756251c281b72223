"""MQTT messages as rows: their fields, where and when they arrived, and how late their device says they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.flattened import Row, flatten, table_of
from drivetrain.ingest.mqtt_inbox import Kept
from drivetrain.ingest.reading import Batch, BrokenRow

_METADATA = {"topic": ColumnType.TEXT, "received_at": ColumnType.TIMESTAMP, "retained": ColumnType.BOOLEAN}
_LATE = "late_seconds"
_json = msgspec.json.Decoder()
_EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))
"""From which number on an epoch is in which part of a second: seconds until the year 5138, then milli, micro, nano."""


class UnreadableError(Exception):
    """A message that cannot be a row. Its text is the reason that stands in the quarantine."""


@dataclass
class MessageRows:
    """Takes the messages of one source apart."""

    spec: MqttSource
    _spelled: dict[str, str] = field(default_factory=dict)

    def batch(self, messages: Mapping[int, Kept], done: int) -> Batch:
        """The messages, by their number in the spool, as one batch."""
        rows, numbers, broken = [], [], []
        for number, message in messages.items():
            try:
                rows.append(self._row(message))
                numbers.append(number)
            except UnreadableError as error:
                text = message.payload.decode(errors="replace")
                broken.append(BrokenRow(number, text, f"{error} (topic {message.topic})"))
        table = table_of(rows)
        added = _METADATA if self.spec.metadata else {}
        added = {**added, _LATE: ColumnType.NUMBER} if self.spec.device_time else added
        declared = Schema(tuple(Column(name, kind) for name, kind in added.items() if name in table.column_names))
        return Batch(
            self.spec.client_id, table, pa.array(numbers, pa.int64()), tuple(broken),
            declared=declared if declared.columns else None, optional_fields=True, done=done,
        )  # fmt: skip

    def _row(self, message: Kept) -> Row:
        row = self._fields(message.payload)
        arrived = datetime.fromtimestamp(message.at / 1e6, UTC)
        for name, value in self._added(message, arrived, row):
            if name in row:
                raise UnreadableError(f"the message has a field {name!r} of its own; `metadata: false` keeps it")
            row[name] = value
        return row

    def _fields(self, payload: bytes) -> Row:
        if self.spec.format == "text":
            try:
                return {"value": payload.decode()}
            except UnicodeDecodeError as error:
                raise UnreadableError(f"the message is not UTF-8: {error.reason} at byte {error.start}") from None
        if not payload:
            raise UnreadableError("the message is empty, as those are that delete a retained message")
        try:
            value = _json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"the message is not JSON: {error}") from None
        row = flatten(value if isinstance(value, dict) else {"value": value}, self.spec.depth)
        if not row:
            raise UnreadableError("the message has no fields")
        self._check_names(row)
        return row

    def _added(self, message: Kept, arrived: datetime, row: Row) -> Iterator[tuple[str, str | None]]:
        if self.spec.metadata:
            yield "topic", message.topic
            yield "received_at", arrived.isoformat()
            yield "retained", str(message.retained).lower()
        if self.spec.device_time:
            sent = moment(row.get(self.spec.device_time))
            yield _LATE, None if sent is None else repr(round((arrived - sent).total_seconds(), 3))

    def _check_names(self, row: Row) -> None:
        """SQL does not see upper and lower case: one message with another spelling must not stop the others."""
        for name in row:
            if not name or name.lower().startswith("drivetrain_"):
                raise UnreadableError(f"a column cannot be called {name!r}")
            known = self._spelled.setdefault(name.lower(), name)
            if known != name:
                raise UnreadableError(f"the field {name!r} is called {known!r} in other messages")


def moment(text: str | None) -> datetime | None:
    """A device's time: ISO 8601 (UTC where it names no zone), or s, ms, us or ns since 1970; None if it is neither."""
    if text is None:
        return None
    try:
        try:
            number = float(text)
        except ValueError:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        return datetime.fromtimestamp(number / next(part for least, part in _EPOCHS if abs(number) >= least), UTC)
    except (ValueError, OverflowError, OSError, StopIteration):
        return None
