"""Protobuf messages: the descriptors come from a registry by the id in each message, or from one file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivetrain.connect.schema_registry import RegisteredSchema, Registry
from drivetrain.core.errors import InvalidInput, MissingExtra
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.messages import Decoded, UndecodableError, split_schema_id, unknown_schema

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

_TYPES = {
    "int32": ColumnType.INTEGER, "int64": ColumnType.INTEGER, "uint32": ColumnType.INTEGER,
    "uint64": ColumnType.INTEGER, "double": ColumnType.NUMBER, "float": ColumnType.NUMBER, "bool": ColumnType.BOOLEAN,
}  # fmt: skip
_CPP = ("", "int32", "int64", "uint32", "uint64", "double", "float", "bool", "enum", "string", "message")
"""The names of FieldDescriptor.cpp_type by its number."""
_TIMESTAMP = "google.protobuf.Timestamp"
_NOT_DESCRIPTORS = "give what `protoc --include_imports --descriptor_set_out=FILE` writes, and its message's full name"


@dataclass(frozen=True)
class _Known:
    message: type[Message]
    types: Mapping[str, ColumnType]


@dataclass
class ProtobufDecoder:
    """Messages of Protobuf. ``source`` is a registry, or a file of descriptors that holds ``message``."""

    source: Registry | Path
    message: str
    depth: int
    _known: dict[tuple[int, tuple[int, ...]], _Known] = field(default_factory=dict)

    def decode(self, content: bytes) -> Decoded:
        """The fields by the names in the schema; enums by name, a missing optional field is None."""
        try:
            from google.protobuf.message import DecodeError
        except ImportError:
            raise MissingExtra("protobuf", "kafka") from None
        place: tuple[int, tuple[int, ...]] = (0, ())
        if isinstance(self.source, Registry):
            number, content = split_schema_id(content)
            path, content = _split_path(content)
            place = (number, path)
        known = self._known.get(place) or self._learn(*place)
        message = known.message()
        try:
            message.ParseFromString(content)
        except DecodeError:
            raise UndecodableError(f"the message is not Protobuf of {message.DESCRIPTOR.full_name}") from None
        return Decoded(_fields(message), known.types)

    def _learn(self, number: int, path: tuple[int, ...]) -> _Known:
        from google.protobuf.message_factory import GetMessageClass

        found = self._from_registry(number, path) if isinstance(self.source, Registry) else self._from_file(self.source)
        types: dict[str, ColumnType] = {}
        _walk(types, "", found, self.depth)
        self._known[number, path] = _Known(GetMessageClass(found), types)
        return self._known[number, path]

    def _from_file(self, file: Path) -> Descriptor:
        from google.protobuf.descriptor_pb2 import FileDescriptorSet
        from google.protobuf.descriptor_pool import DescriptorPool
        from google.protobuf.message import DecodeError

        pool = DescriptorPool()
        try:
            for one in FileDescriptorSet.FromString(file.read_bytes()).file:
                pool.Add(one)
            return pool.FindMessageTypeByName(self.message)
        except (DecodeError, KeyError, TypeError, OSError) as error:
            text = f"cannot use the descriptors: {error}"
            raise InvalidInput("schema_invalid", text, where=str(file), hint=_NOT_DESCRIPTORS) from None

    def _from_registry(self, number: int, path: tuple[int, ...]) -> Descriptor:
        from google.protobuf.descriptor_pool import DescriptorPool

        assert isinstance(self.source, Registry)
        found = self.source.by_id(number, serialized=True)
        if found is None:
            raise unknown_schema(number)
        pool, name = DescriptorPool(), f"schema-{number}"
        self._add(pool, found, name)
        here = list(pool.FindFileByName(name).message_types_by_name.values())
        try:
            found_message = here[path[0]]
            for step in path[1:]:
                found_message = found_message.nested_types[step]
        except IndexError:
            raise UndecodableError(f"schema {number} has no message {list(path)}") from None
        return found_message

    def _add(self, pool: DescriptorPool, schema: RegisteredSchema, name: str) -> None:
        """Add a file of descriptors to the pool, those that it imports first."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto
        from google.protobuf.message import DecodeError

        assert isinstance(self.source, Registry)
        try:
            file = FileDescriptorProto.FromString(base64.b64decode(schema.schema, validate=True))
        except (DecodeError, binascii.Error):
            hint = "the registry must know `?format=serialized`; or use `schema_file`"
            raise InvalidInput("schema_invalid", "this is no Protobuf schema", where=name, hint=hint) from None
        for reference in schema.references:
            found = self.source.referred(reference, serialized=True)
            if found is not None:
                self._add(pool, found, reference.name)
        for standard in _standard_files():
            if standard.name in file.dependency:
                pool.AddSerializedFile(standard.serialized_pb)
        file.name = name
        try:
            pool.Add(file)
            pool.FindFileByName(name)
        except (KeyError, TypeError) as error:
            text, hint = f"cannot use the schema: {error}", "register it together with what it imports"
            raise InvalidInput("schema_invalid", text, where=name, hint=hint) from None


def _standard_files() -> tuple[FileDescriptor, ...]:
    """What every program of Protobuf has; a registry leaves them out."""
    from google.protobuf import (
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    modules = (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    return tuple(module.DESCRIPTOR for module in modules)


def _split_path(content: bytes) -> tuple[tuple[int, ...], bytes]:
    """Which message of the schema it is: zigzag varints, the first the count of the others; one 0 means the first."""
    count, at = _varint(content, 0)
    path = []
    for _ in range(min(count, 100)):
        step, at = _varint(content, at)
        path.append(step)
    return tuple(path) or (0,), content[at:]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 64:
        byte = content[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise UndecodableError("the message ends before it says which message of its schema it is")


def _fields(message: Message) -> dict[str, object]:
    return {one.name: _field(message, one) for one in message.DESCRIPTOR.fields}


def _field(message: Message, one: FieldDescriptor) -> object:
    value = getattr(message, one.name)
    if not one.is_repeated:
        return None if one.has_presence and not message.HasField(one.name) else _value(value, one)
    if one.message_type is not None and one.message_type.GetOptions().map_entry:
        inner = one.message_type.fields_by_name["value"]
        return [{"key": key, "value": _value(value[key], inner)} for key in sorted(value)]
    return [_value(item, one) for item in value]


def _value(value: object, one: FieldDescriptor) -> object:
    if one.message_type is not None:
        if one.message_type.full_name == _TIMESTAMP:
            return value.ToJsonString()  # type: ignore[attr-defined]  # a Timestamp has it
        return _fields(value)
    if one.enum_type is not None:
        known = one.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    return value


def _walk(types: dict[str, ColumnType], prefix: str, message: Descriptor, depth: int) -> None:
    """Add the types of a message's columns, as deep as objects become columns."""
    for one in message.fields:
        if one.is_repeated:
            types[prefix + one.name] = ColumnType.TEXT
        elif one.message_type is not None and one.message_type.full_name == _TIMESTAMP:
            types[prefix + one.name] = ColumnType.TIMESTAMP
        elif one.message_type is not None and depth > 1:
            _walk(types, f"{prefix}{one.name}.", one.message_type, depth - 1)
        else:
            types[prefix + one.name] = _TYPES.get(_CPP[one.cpp_type], ColumnType.TEXT)
