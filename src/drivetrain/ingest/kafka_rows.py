"""Messages of a partition as batches of rows: what is new or changed, what goes, and what could not be taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.ingest.contents import Contents, Taken
from drivetrain.ingest.flat_columns import Record, columns_of, names_of
from drivetrain.ingest.kafka_envelope import METADATA, metadata_columns
from drivetrain.ingest.messages import JsonDecoder, UndecodableError, readable
from drivetrain.ingest.reading import Batch, BrokenRow
from drivetrain.store.files.batches import Change

if TYPE_CHECKING:
    from confluent_kafka import Message


class MessageRows:
    """Takes the messages of one source apart. The number of a row is the offset of its message, plus one."""

    def __init__(self, spec: KafkaSource, place: Place) -> None:
        self._spec, self._key = spec, spec.contract.key
        self._contents = Contents(spec, place, METADATA if spec.metadata else {})

    def batches(self, portion: str, messages: Sequence[Message], done: int) -> Iterator[Batch]:
        """The batches of a block of messages; several where a key goes and comes back, so that the last change counts.

        Raises what a schema registry raises.
        """
        taken = self._contents.take(messages, [message.value() for message in messages])
        gone_messages, keys = self._keys(taken)
        around = metadata_columns(taken.kept) if self._spec.metadata else {}
        rows, gone = pa.table({**taken.columns, **around}), self._table_of_keys(keys)
        numbers, gone_numbers = list(map(_number, taken.kept)), list(map(_number, gone_messages))
        change, broken = Change.PUT if self._spec.upserts else Change.ADD, _broken(taken)
        for first, last, first_gone, last_gone in self._segments(rows, numbers, gone, gone_numbers):
            if first < last or broken:
                declared = self._contents.declared(rows.column_names)
                chosen, at = rows.slice(first, last - first), pa.array(numbers[first:last], pa.int64())
                yield Batch(portion, chosen, at, broken, declared, optional_fields=True, done=done, change=change)
                broken = ()
            if first_gone < last_gone:
                chosen = gone.slice(first_gone, last_gone - first_gone)
                at = pa.array(gone_numbers[first_gone:last_gone], pa.int64())
                yield Batch(portion, chosen, at, optional_fields=True, done=done, change=Change.DROP)

    def _segments(
        self, rows: pa.Table, numbers: list[int], gone: pa.Table, gone_numbers: list[int]
    ) -> Iterator[tuple[int, int, int, int]]:
        """Parts of the rows that come and of those that go: told part by part, rows first, the last change counts."""
        first, first_gone, at_gone, keys_gone = 0, 0, 0, set[tuple[str | None, ...]]()
        identities = _identities(gone, self._key) if gone_numbers else []
        for at, identity in enumerate(_identities(rows, self._key) if gone_numbers else ()):
            while at_gone < len(gone_numbers) and gone_numbers[at_gone] < numbers[at]:
                keys_gone.add(identities[at_gone])
                at_gone += 1
            if identity in keys_gone:
                yield first, at, first_gone, at_gone
                first, first_gone = at, at_gone
                keys_gone.clear()
        yield first, len(numbers), first_gone, len(gone_numbers)

    def _keys(self, taken: Taken[Message]) -> tuple[list[Message], list[Record]]:
        """The messages without a value that name a key which goes, and those keys; others are bad."""
        gone, keys = [], []
        for message in taken.empty:
            try:
                keys.append(self._gone(message))
                gone.append(message)
            except UndecodableError as error:
                taken.bad.append((message, str(error)))
        return gone, keys

    def _gone(self, message: Message) -> Record:
        """The key of a message without a value: the fields of a record, or the text of a key of one column."""
        key = message.key()
        if not self._spec.upserts or key is None:
            raise UndecodableError("a message without a value deletes a row: that needs a key, and `upserts: true`")
        fields = self._fields_of(key if isinstance(key, bytes) else key.encode())
        if not set(self._key) <= set(names_of(fields, self._spec.depth)):
            raise UndecodableError(f"the key of a message without a value lacks a column of {list(self._key)}")
        return fields

    def _fields_of(self, key: bytes) -> Record:
        """A key as the messages are written, or as JSON; else its text is the only column."""
        for decode in (self._contents.decoder.decode, JsonDecoder().decode):
            try:
                return decode(key).fields
            except UndecodableError:
                continue
        return {self._key[0]: readable(key)} if len(self._key) == 1 else {}

    def _table_of_keys(self, keys: Sequence[Record]) -> pa.Table:
        columns = columns_of(keys, self._spec.depth)
        return pa.table({name: columns[name] for name in self._key} if keys else {})


def _identities(rows: pa.Table, key: Sequence[str]) -> list[tuple[str | None, ...]]:
    nothing = [None] * rows.num_rows
    return list(zip(*(rows[name].to_pylist() if name in rows.column_names else nothing for name in key), strict=True))


def _number(message: Message) -> int:
    return (message.offset() or 0) + 1


def _broken(taken: Taken[Message]) -> tuple[BrokenRow, ...]:
    bad = ((_number(one), readable(one.value() or one.key() or b""), one.offset(), why) for one, why in taken.bad)
    rows = [BrokenRow(number, text, f"offset {offset}: {why}") for number, text, offset, why in bad]
    return tuple(sorted(rows, key=lambda row: row.number))
