"""Avro container files, block by block. The container is taken apart here: so every codec works, a file that grew goes
on where it ended, and a block is never unpacked beyond its limit. fastavro reads the values."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import msgspec
import pyarrow as pa

from drivetrain.core.errors import InvalidInput, MissingExtra
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import Content
from drivetrain.store.files.delimited import check_names
from drivetrain.store.files.text_rows import TextRows

_MARK = b"Obj\x01"
_LARGEST = 64 * 1024 * 1024  # a block, in bytes
_TYPES = {
    "int": ColumnType.INTEGER, "long": ColumnType.INTEGER,
    "float": ColumnType.NUMBER, "double": ColumnType.NUMBER,
    "boolean": ColumnType.BOOLEAN,
}  # fmt: skip
_LOGICAL = {
    "date": ColumnType.DATE, "decimal": ColumnType.NUMBER,
    "timestamp-millis": ColumnType.TIMESTAMP, "timestamp-micros": ColumnType.TIMESTAMP,
    "timestamp-nanos": ColumnType.TIMESTAMP, "local-timestamp-millis": ColumnType.TIMESTAMP,
    "local-timestamp-micros": ColumnType.TIMESTAMP,
    "time-millis": ColumnType.TEXT, "time-micros": ColumnType.TEXT, "uuid": ColumnType.TEXT,
}  # fmt: skip


class _Fields(Protocol):
    """What a decoder of one record gives: its fields by name."""

    def __call__(self, block: io.BytesIO) -> Mapping[str, object]:
        """The next record."""
        ...


@dataclass(frozen=True)
class _Header:
    """The head of a container: how blocks are packed, what parts them, the columns, and who reads a record."""

    codec: str
    sync: bytes
    columns: Schema
    record: _Fields


class _Bad(Exception):
    """Bytes that are not Avro, and why."""


def read_avro(content: Content, first: int) -> Iterator[Batch]:
    """The rows from where ``content`` stands, numbered from ``first``; nested values are JSON text.

    Raises InvalidInput with the file's name when it is not Avro, MissingExtra without fastavro.
    """
    try:
        if content.size:
            with content.again() as start:
                header = _read_header(start)
        else:
            header = _read_header(content)
        yield from _read_blocks(content, header, first)
    except _Bad as error:
        raise InvalidInput(
            "avro_invalid",
            f"not readable as Avro: {error}",
            where=content.name,
            hint="fetch or write the file again, or correct `path` or `format`",
        ) from error


def _read_blocks(content: Content, header: _Header, first: int) -> Iterator[Batch]:
    rows = TextRows(content, first, names=header.columns.names, declared=header.columns)
    number = first
    while content.peek(1):
        count, size = _long(content), _long(content)
        packed = _exactly(content, size)
        if _exactly(content, len(header.sync)) != header.sync:
            raise _Bad(f"the block after row {number - 1} does not end where it says")
        block = io.BytesIO(unpacked := _unpack(packed, header.codec))
        if not 0 <= count <= len(unpacked):  # a row takes a byte at least
            raise _Bad(f"the block after row {number - 1} has fewer bytes than rows")
        for _ in range(count):
            rows.add({name: _text(value) for name, value in _next(header, block, number).items()})
            number += 1
            if rows.is_full:
                yield rows.take()
        if block.tell() < len(unpacked):
            raise _Bad(f"the block before row {number} has more bytes than its rows")
    if not rows.is_empty:
        yield rows.take()


def _next(header: _Header, block: io.BytesIO, number: int) -> Mapping[str, object]:
    try:
        return header.record(block)
    # fastavro raises whatever its parts raise where the bytes do not fit the schema
    except Exception as error:
        raise _Bad(f"row {number} does not fit the schema ({type(error).__name__}: {error})") from error


def _read_header(content: Content) -> _Header:
    if _exactly(content, len(_MARK)) != _MARK:
        raise _Bad("it does not begin as an Avro file does")
    facts: dict[str, bytes] = {}
    while count := _long(content):
        if count < 0:
            _long(content)  # how many bytes the entries take
        for _ in range(abs(count)):
            key = _exactly(content, _long(content)).decode(errors="replace")
            facts[key] = _exactly(content, _long(content))
    sync = _exactly(content, 16)
    columns, record = _schema(facts.get("avro.schema", b""), content.name)
    codec = facts.get("avro.codec", b"null").decode(errors="replace")
    if codec not in _CODECS:
        raise _Bad(f"its blocks are packed with {codec}; known are {', '.join(_CODECS)}")
    return _Header(codec, sync, columns, record)


def _schema(text: bytes, name: str) -> tuple[Schema, _Fields]:
    try:
        from fastavro import parse_schema, schemaless_reader
        from fastavro.schema import SchemaParseException, UnknownType
    except ImportError:
        raise MissingExtra("fastavro", "formats") from None
    try:
        raw = msgspec.json.decode(text)
        fields = raw["fields"]
        columns = tuple(Column(field["name"], _type(field["type"])) for field in fields)
        parsed = parse_schema(raw)
    except (msgspec.DecodeError, SchemaParseException, UnknownType, TypeError, KeyError, RecursionError) as error:
        raise _Bad(f"its schema is not that of a record ({error})") from error
    check_names(tuple(column.name for column in columns), name)

    def record(block: io.BytesIO) -> Mapping[str, object]:
        return cast("Mapping[str, object]", schemaless_reader(block, parsed, None))

    return Schema(columns), record


def _type(kind: object) -> ColumnType:
    """The type of a field; text for what is nested, and for a union of several types."""
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        return _type(kinds[0]) if len(kinds) == 1 else ColumnType.TEXT
    if isinstance(kind, dict):
        return _LOGICAL.get(str(kind.get("logicalType"))) or _type(kind.get("type"))
    return _TYPES.get(str(kind), ColumnType.TEXT)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value) if value == value else None  # noqa: PLR0124 - NaN, which is no value, differs from itself
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, UnicodeError) as error:
        raise _Bad(f"a value cannot be written as text ({error})") from error
    plain = isinstance(value, bytes) or not text.startswith('"')
    return text if plain else text[1:-1]  # times, decimals and UUIDs: nothing in them is escaped


def _long(content: Content) -> int:
    """A number as Avro writes it: seven bits a byte, the sign in the last bit."""
    number = shift = 0
    while True:
        byte = _exactly(content, 1)[0]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
        shift += 7
        if shift > 63:
            raise _Bad("a length is no number")


def _exactly(content: Content, size: int) -> bytes:
    if not 0 <= size <= _LARGEST:
        raise _Bad(f"a part of {size:,} bytes; at most {_LARGEST:,} are read")
    found = content.read(size)
    if len(found) < size:
        raise _Bad("it is cut off")
    return found


def _unpack(packed: bytes, codec: str) -> bytes:
    try:
        block = _CODECS[codec](packed)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        raise _Bad(f"a block is damaged ({error})") from error
    if len(block) > _LARGEST:
        raise _Bad(f"a block is larger than {_LARGEST:,} bytes")
    return block


def _snappy(packed: bytes) -> bytes:
    size = shift = 0
    for byte in packed[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > _LARGEST:
        raise ValueError(f"it would be {size:,} bytes")
    return bytes(pa.decompress(packed[:-4], decompressed_size=size, codec="snappy", asbytes=True))


def _zstd(packed: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read(_LARGEST + 1))


_CODECS: Mapping[str, Callable[[bytes], bytes]] = {
    "null": lambda packed: packed,
    "deflate": lambda packed: zlib.decompressobj(-15).decompress(packed, _LARGEST + 1),
    "snappy": _snappy,
    "bzip2": lambda packed: bz2.BZ2Decompressor().decompress(packed, _LARGEST + 1),
    "xz": lambda packed: lzma.LZMADecompressor().decompress(packed, _LARGEST + 1),
    "zstandard": _zstd,
}
