"""Contents of messages as columns, whatever brought them: decoded, made flat, with names that a table can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.connect.schema_registry import Registry
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.streams import Messages
from drivetrain.ingest.alike_messages import AlikeMessages
from drivetrain.ingest.avro_messages import AvroDecoder
from drivetrain.ingest.flat_columns import Record, columns_of, names_of
from drivetrain.ingest.messages import Decoder, JsonDecoder, TextDecoder, UndecodableError
from drivetrain.ingest.protobuf_messages import ProtobufDecoder

M = TypeVar("M")


@dataclass
class Taken(Generic[M]):
    """What could be taken apart, with its columns; the messages without content; and the bad ones, with why."""

    kept: list[M] = field(default_factory=list)
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    empty: list[M] = field(default_factory=list)
    bad: list[tuple[M, str]] = field(default_factory=list)


class Contents:
    """Takes the contents of one source apart, and remembers how its columns are called and typed."""

    def __init__(self, spec: Messages, place: Place, types: Mapping[str, ColumnType]) -> None:
        """``types`` are those of columns that do not come from the contents. Raises MissingExtra."""
        self.decoder = _decoder_of(spec, place)
        self._depth = spec.depth
        self._types = dict(types)
        self._names: dict[str, str] = {}
        texts = (name for name, rule in spec.contract.columns.items() if rule.type is ColumnType.TEXT)
        self._alike = AlikeMessages(spec.depth, frozenset(texts)) if spec.format == "json" else None

    def take(self, messages: Sequence[M], contents: Sequence[bytes | None]) -> Taken[M]:
        """Take the content of each message apart. Raises what a schema registry raises."""
        if (columns := self._alike_columns(contents)) is not None:
            return Taken(list(messages), columns)
        if isinstance(self.decoder, JsonDecoder) and (records := self.decoder.decode_all(contents)) is not None:
            if self._alike is not None:
                self._alike.learn(records)
            taken, found = Taken(list(messages)), list(records)
        else:
            taken, found = self._one_by_one(messages, contents)
        taken.columns = self._columns(taken, found)
        return taken

    def declared(self, names: Sequence[str]) -> Schema:
        """The types of those of these columns whose type is known; JSON declares none."""
        return Schema(tuple(Column(name, self._types[name]) for name in names if name in self._types))

    def _alike_columns(self, contents: Sequence[bytes | None]) -> dict[str, pa.Array] | None:
        """The columns of messages that are shaped like those before; None where they are not."""
        columns = self._alike.columns(contents) if self._alike is not None else None
        return None if columns is None or any(map(self._complaint, columns)) else columns

    def _one_by_one(self, messages: Sequence[M], contents: Sequence[bytes | None]) -> tuple[Taken[M], list[Record]]:
        taken, records = Taken[M](), list[Record]()
        for message, content in zip(messages, contents, strict=True):
            if content is None:
                taken.empty.append(message)
                continue
            try:
                records.append(self._record(content))
                taken.kept.append(message)
            except UndecodableError as error:
                taken.bad.append((message, str(error)))
        return taken, records

    def _columns(self, taken: Taken[M], records: list[Record]) -> dict[str, pa.StringArray]:
        """The columns. A message with one that cannot be is moved to the bad ones: it must not stop the others."""
        columns = columns_of(records, self._depth)
        if not any(self._complaint(name) for name in columns):
            return columns
        good = []
        for message, record in zip(taken.kept, records, strict=True):
            complaint = next(filter(None, map(self._complaint, names_of(record, self._depth))), "")
            if complaint:
                taken.bad.append((message, complaint))
            else:
                good.append((message, record))
        taken.kept = [message for message, _ in good]
        return columns_of([record for _, record in good], self._depth)

    def _record(self, content: bytes) -> Record:
        decoded = self.decoder.decode(content)
        self._types |= decoded.types
        if not decoded.fields:
            raise UndecodableError("the message has no fields")
        return decoded.fields

    def _complaint(self, name: str) -> str:
        """Why this is no name of a column. SQL sees no upper and lower case: the spelling that came first is it."""
        if not name or name.lower().startswith("drivetrain_"):
            return f"a column cannot be called {name!r}"
        known = self._names.setdefault(name.lower(), name)
        return "" if known == name else f"the column {name!r} is called {known!r} in other messages"


def _decoder_of(spec: Messages, place: Place) -> Decoder:
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
