"""Messages of a partition as batches of rows: what is new or changed, what goes, and what could not be taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.connect.schema_registry import Registry
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.ingest.alike_messages import AlikeMessages
from drivetrain.ingest.avro_messages import AvroDecoder
from drivetrain.ingest.flat_columns import Record, columns_of, names_of
from drivetrain.ingest.kafka_envelope import METADATA, metadata_columns, readable
from drivetrain.ingest.messages import Decoder, JsonDecoder, TextDecoder, UndecodableError
from drivetrain.ingest.protobuf_messages import ProtobufDecoder
from drivetrain.ingest.reading import Batch, BrokenRow
from drivetrain.store.files.batches import Change

if TYPE_CHECKING:
    from confluent_kafka import Message


@dataclass
class _Taken:
    """The messages of a block that could be taken apart; those without a value name a key that goes."""

    kept: list[Message] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    gone: list[Message] = field(default_factory=list)
    keys: list[Record] = field(default_factory=list)
    broken: list[BrokenRow] = field(default_factory=list)

    def bad(self, message: Message, reason: object) -> None:
        """This one could not."""
        self.broken.append(BrokenRow(_number(message), _shown(message), f"offset {message.offset()}: {reason}"))


class MessageRows:
    """Takes the messages of one source apart. The number of a row is the offset of its message, plus one."""

    def __init__(self, spec: KafkaSource, place: Place) -> None:
        self._spec, self._key = spec, spec.contract.key
        self._decoder = decoder_of(spec, place)
        self._types: dict[str, ColumnType] = dict(METADATA) if spec.metadata else {}
        self._names: dict[str, str] = {}
        texts = (name for name, rule in spec.contract.columns.items() if rule.type is ColumnType.TEXT)
        self._alike = AlikeMessages(spec.depth, frozenset(texts)) if spec.format == "json" else None

    def batches(self, portion: str, messages: Sequence[Message], done: int) -> Iterator[Batch]:
        """The batches of a block of messages; several where a key goes and comes back, so that the last change counts.

        Raises what a schema registry raises.
        """
        contents = [message.value() for message in messages]
        if (rows := self._alike_rows(messages, contents)) is not None:
            taken = _Taken(list(messages))
        else:
            taken = self._taken(messages, contents)
            rows = self._table(taken)
        gone = self._table_of_keys(taken.keys)
        numbers, gone_numbers = list(map(_number, taken.kept)), list(map(_number, taken.gone))
        change, broken = Change.PUT if self._spec.upserts else Change.ADD, tuple(taken.broken)
        for first, last, first_gone, last_gone in self._segments(rows, numbers, gone, gone_numbers):
            if first < last or broken:
                typed = [Column(name, self._types[name]) for name in rows.column_names if name in self._types]
                chosen, at = rows.slice(first, last - first), pa.array(numbers[first:last], pa.int64())
                declared = Schema(tuple(typed))  # JSON declares no type, whoever took it apart
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

    def _alike_rows(self, messages: Sequence[Message], contents: Sequence[bytes | None]) -> pa.Table | None:
        """The rows of messages that are shaped like those before; None where they are not."""
        columns = self._alike.columns(contents) if self._alike is not None else None
        if columns is None or any(map(self._complaint, columns)):
            return None
        return pa.table({**columns, **self._around(messages)})

    def _taken(self, messages: Sequence[Message], contents: Sequence[bytes | None]) -> _Taken:
        if isinstance(self._decoder, JsonDecoder) and (records := self._decoder.decode_all(contents)) is not None:
            if self._alike is not None:
                self._alike.learn(records)
            return _Taken(list(messages), list(records))
        taken = _Taken()
        for message, content in zip(messages, contents, strict=True):
            try:
                if content is None:
                    taken.keys.append(self._gone(message))
                    taken.gone.append(message)
                else:
                    taken.records.append(self._record(content))
                    taken.kept.append(message)
            except UndecodableError as error:
                taken.bad(message, error)
        return taken

    def _record(self, content: bytes) -> Record:
        decoded = self._decoder.decode(content)
        self._types |= decoded.types
        if not decoded.fields:
            raise UndecodableError("the message has no fields")
        return decoded.fields

    def _table(self, taken: _Taken) -> pa.Table:
        """The rows. A message with a column that cannot be is moved to the broken ones: it must not stop the others."""
        columns = columns_of(taken.records, self._spec.depth)
        if any(self._complaint(name) for name in columns):
            whole = list(zip(taken.kept, taken.records, strict=True))
            taken.kept, taken.records = [], []
            for message, record in whole:
                complaints = list(filter(None, map(self._complaint, names_of(record, self._spec.depth))))
                if complaints:
                    taken.bad(message, complaints[0])
                else:
                    taken.kept.append(message)
                    taken.records.append(record)
            taken.broken.sort(key=lambda row: row.number)
            columns = columns_of(taken.records, self._spec.depth)
        return pa.table({**columns, **self._around(taken.kept)})

    def _around(self, messages: Sequence[Message]) -> dict[str, pa.StringArray]:
        return metadata_columns(messages) if self._spec.metadata else {}

    def _complaint(self, name: str) -> str:
        """Why this is no name of a column. SQL sees no upper and lower case: the spelling that came first is it."""
        if not name or name.lower().startswith("drivetrain_"):
            return f"a column cannot be called {name!r}"
        known = self._names.setdefault(name.lower(), name)
        return "" if known == name else f"the column {name!r} is called {known!r} in other messages"

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
        for decode in (self._decoder.decode, JsonDecoder().decode):
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


def decoder_of(spec: KafkaSource, place: Place) -> Decoder:
    """The decoder of the source's format. Raises MissingExtra."""
    if spec.schema_registry is not None:
        source: Registry | None = Registry(spec.schema_registry, place.secrets, spec.timeout_seconds)
    else:
        source = None
    match spec.format:
        case "json":
            return JsonDecoder()
        case "text":
            return TextDecoder()
        case "avro":
            return AvroDecoder(source or place.home / (spec.schema_file or ""), spec.depth)
        case "protobuf":
            return ProtobufDecoder(source or place.home / (spec.schema_file or ""), spec.message or "", spec.depth)


def _shown(message: Message) -> str:
    return readable(message.value() or message.key() or b"")
