"""Rows as Avro records: the magic byte, the id of the schema in the registry (Confluent's form), the record."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from drivetrain.connect.schema_registry import RegisteredSchema, Registry
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, MissingExtra, NotFound, examples
from drivetrain.deliver.json_rows import Row

if TYPE_CHECKING:
    from fastavro.types import Schema as Parsed

_UNFIT = (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error)


class UnfitError(Exception):
    """A row is no record of the schema."""


class AvroRows:
    """Encodes rows by the newest schema of a subject, which is asked for once."""

    def __init__(self, registry: Registry, subject: str) -> None:
        self._registry, self._subject = registry, subject
        self._head = b""
        self._schema: Parsed | None = None
        self._needed: dict[str, bool] = {}

    def check(self, columns: Iterable[str]) -> None:
        """See that the fields of the schema are the columns; those with a default may be missing.

        Raises InvalidInput when they are not, and what ``learn`` raises.
        """
        self.learn()
        names = set(columns)
        wrong = [f"no field {name}" for name in sorted(names - set(self._needed))]
        wrong += [f"no column {name}" for name, needed in self._needed.items() if needed and name not in names]
        if wrong:
            raise InvalidInput(
                "outlet_schema_unfit",
                f"the rows are no records of the schema: {examples(wrong)}",
                where=f"subject {self._subject}",
                hint="let `columns` give what the schema has; a value of another type is made to fit by CAST",
            )

    def learn(self) -> None:
        """Ask for the schema, once. Raises NotFound without one, InvalidInput, Transient and Forbidden."""
        if self._schema is not None:
            return
        try:
            from fastavro.schema import SchemaParseException, UnknownType
        except ImportError:
            raise MissingExtra("fastavro", "kafka") from None
        found, where = self._registry.latest(self._subject), f"subject {self._subject}"
        if found is None:
            hint = "register the schema there, or correct `subject`"
            raise NotFound("schema_unknown", "the registry has no schema of this subject", where=where, hint=hint)
        try:
            parsed = self._parsed(found, {})
            fields = parsed["fields"] if isinstance(parsed, dict) else []
        except (SchemaParseException, UnknownType, msgspec.DecodeError, KeyError, ValueError) as error:
            hint = "register a record of Avro"
            raise InvalidInput("schema_invalid", f"cannot use the schema: {error}", where=where, hint=hint) from None
        self._needed = {field["name"]: "default" not in field for field in fields}
        self._head, self._schema = struct.pack(">bI", 0, found.id), parsed

    def encode(self, row: Row) -> bytes:
        """One record. Raises UnfitError for a value that is not of its field's type."""
        from fastavro import schemaless_writer

        assert self._schema is not None
        content = BytesIO()
        try:
            schemaless_writer(content, self._schema, row, strict_allow_default=True)
        except _UNFIT as error:
            raise UnfitError(f"it is no record of the schema: {error}") from None
        return self._head + content.getvalue()

    def _parsed(self, found: RegisteredSchema, named: dict[str, dict[str, object]]) -> Parsed:
        """The schema; those that it imports are parsed before it."""
        from fastavro import parse_schema

        for reference in found.references:
            imported = self._registry.referred(reference)
            if imported is None:
                raise ValueError(f"it imports {reference.name}, which is not there")
            self._parsed(imported, named)
        return parse_schema(read_json(found.schema, dict[str, object]), named_schemas=named)
