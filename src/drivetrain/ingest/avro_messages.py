"""Avro messages: the schema comes from a registry by the id in each message, or from one file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drivetrain.connect.schema_registry import RegisteredSchema, Registry
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, MissingExtra
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.messages import Decoded, UndecodableError, split_schema_id, unknown_schema

if TYPE_CHECKING:
    from fastavro.types import Schema as Parsed

_TYPES = {
    "int": ColumnType.INTEGER, "long": ColumnType.INTEGER, "float": ColumnType.NUMBER, "double": ColumnType.NUMBER,
    "boolean": ColumnType.BOOLEAN,
}  # fmt: skip
_LOGICAL = {
    "date": ColumnType.DATE, "timestamp-millis": ColumnType.TIMESTAMP, "timestamp-micros": ColumnType.TIMESTAMP,
    "time-millis": ColumnType.TEXT, "time-micros": ColumnType.TEXT, "decimal": ColumnType.TEXT,
}  # fmt: skip
_GARBAGE = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, RecursionError)


_Named = dict[str, dict[str, object]]
"""Schemas that others call by name."""


@dataclass(frozen=True)
class _Known:
    schema: Parsed
    types: Mapping[str, ColumnType]


@dataclass
class AvroDecoder:
    """Records of Avro. ``source`` is a registry, or a file with the one schema of all messages."""

    source: Registry | Path
    depth: int
    _known: dict[int, _Known] = field(default_factory=dict)

    def decode(self, content: bytes) -> Decoded:
        """The fields. Decimals become text: a float would round them."""
        try:
            from fastavro import schemaless_reader
        except ImportError:
            raise MissingExtra("fastavro", "kafka") from None
        number, rest = split_schema_id(content) if isinstance(self.source, Registry) else (0, content)
        known = self._known.get(number) or self._learn(number)
        stream = BytesIO(rest)
        try:
            record = schemaless_reader(stream, known.schema, None)
        except _GARBAGE as error:
            raise UndecodableError(f"the message is not Avro of its schema: {type(error).__name__} {error}") from None
        if stream.tell() != len(rest) or not isinstance(record, dict):
            raise UndecodableError("the message is not one Avro record of its schema: bytes are left over")
        return Decoded(record, known.types)

    def _learn(self, number: int) -> _Known:
        from fastavro import parse_schema
        from fastavro.schema import SchemaParseException, UnknownType

        where = f"schema {number}" if isinstance(self.source, Registry) else str(self.source)
        named: _Named = {}
        try:
            text = self._text(number, named)
            parsed = parse_schema(read_json(text, dict[str, object]), named_schemas=named)
        except (SchemaParseException, UnknownType, msgspec.DecodeError, OSError, ValueError) as error:
            hint = "give an Avro schema as JSON, an .avsc file"
            raise InvalidInput("schema_invalid", f"cannot use the schema: {error}", where=where, hint=hint) from None
        types: dict[str, ColumnType] = {}
        _walk(types, "", parsed, named, self.depth)
        self._known[number] = _Known(parsed, types)
        return self._known[number]

    def _text(self, number: int, named: _Named) -> str:
        if isinstance(self.source, Path):
            return self.source.read_text(encoding="utf-8")
        found = self.source.by_id(number)
        if found is None:
            raise unknown_schema(number)
        self._import(found, self.source, named)
        return found.schema

    def _import(self, schema: RegisteredSchema, registry: Registry, named: _Named) -> None:
        from fastavro import parse_schema

        for reference in schema.references:
            found = registry.referred(reference)
            if found is not None:
                self._import(found, registry, named)
                parse_schema(read_json(found.schema, dict[str, object]), named_schemas=named)


def _walk(types: dict[str, ColumnType], name: str, schema: object, named: _Named, depth: int) -> None:
    """Add the types of the columns below ``name``, as deep as objects become columns."""
    if isinstance(schema, list):
        others = [kind for kind in schema if kind != "null"]
        schema = others[0] if len(others) == 1 else None
    if isinstance(schema, str) and schema in named:
        schema = named[schema]
    if isinstance(schema, dict) and schema.get("type") == "record" and depth > 0:
        for one in schema["fields"]:
            _walk(types, f"{name}.{one['name']}" if name else one["name"], one["type"], named, depth - 1)
    elif isinstance(schema, dict):
        plain = _TYPES.get(schema["type"], ColumnType.TEXT) if isinstance(schema["type"], str) else ColumnType.TEXT
        types[name] = _LOGICAL.get(schema.get("logicalType", ""), plain)
    else:
        types[name] = _TYPES.get(schema, ColumnType.TEXT) if isinstance(schema, str) else ColumnType.TEXT
