"""The content of messages, taken apart: JSON, text, and what the formats with schemas share."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from drivetrain.core.schema import ColumnType

_json = msgspec.json.Decoder(dict[str, object])
NO_TYPES: Mapping[str, ColumnType] = {}


class UndecodableError(Exception):
    """A message that is not what its source says. Its text is the reason that stands in the quarantine."""


@dataclass(frozen=True)
class Decoded:
    """The fields of a message, nested as they came; ``types`` of the columns by dotted name, where a schema says."""

    fields: Mapping[str, object]
    types: Mapping[str, ColumnType] = field(default_factory=dict)


class Decoder(Protocol):
    """A format of messages."""

    def decode(self, content: bytes) -> Decoded:
        """Take one apart. Raises UndecodableError, and what a schema registry raises."""
        ...


class JsonDecoder:
    """One JSON object a message; what a registry puts in front of it (magic byte and id) is passed over."""

    def decode(self, content: bytes) -> Decoded:
        """Its members."""
        try:
            return Decoded(_json.decode(content[5:] if content[:1] == b"\0" else content), NO_TYPES)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UndecodableError(f"the message is not a JSON object: {error}") from None

    def decode_all(self, contents: Sequence[bytes | None]) -> Sequence[Mapping[str, object]] | None:
        """The members of many at once, several times as fast; None where one needs a look of its own.

        A line for each: as many objects as lines mean that none is empty, spread over lines, or two in one.
        """
        try:
            lines = b"\n".join(contents)  # type: ignore[arg-type]  # what has no content raises
            if lines.count(b"\n") == len(contents) - 1 and len(found := _json.decode_lines(lines)) == len(contents):
                return found if all(found) else None
        except (TypeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return None


class TextDecoder:
    """The whole message as the column ``value``."""

    def decode(self, content: bytes) -> Decoded:
        """Its text."""
        try:
            return Decoded({"value": content.decode()}, NO_TYPES)
        except UnicodeDecodeError as error:
            raise UndecodableError(f"the message is not UTF-8: {error.reason} at byte {error.start}") from None


def readable(content: bytes | str) -> str:
    """Bytes as text, in base64 where they are none."""
    if isinstance(content, str):
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()


def split_schema_id(content: bytes) -> tuple[int, bytes]:
    """The schema's id and the rest (Confluent's wire format: a zero byte, then the id in four). UndecodableError."""
    if len(content) < 5 or content[0] != 0:
        raise UndecodableError("the message does not begin with a zero byte and the id of a schema in the registry")
    return int.from_bytes(content[1:5], "big"), content[5:]


def unknown_schema(number: int) -> UndecodableError:
    """A message of a schema that the registry does not know."""
    return UndecodableError(f"the registry knows no schema {number}")
