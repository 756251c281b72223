"""Avro messages: types, schemas that grow, imported ones, and what is not Avro."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers.schema_registry import schema_registry

from drivetrain.connect.schema_registry import Registry
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.avro_messages import AvroDecoder
from drivetrain.ingest.flat_columns import columns_of
from drivetrain.ingest.messages import UndecodableError


def field(name, kind, **more):
    return {"name": name, "type": {"type": kind, **more} if more else kind}


MONEY = {"precision": 9, "scale": 2, "logicalType": "decimal"}
ORDER = {
    "type": "record", "name": "Order", "namespace": "shop",
    "fields": [
        field("id", "long"), field("paid", ["null", "double"]), field("open", "boolean"), field("name", "string"),
        field("day", "int", logicalType="date"), field("at", "long", logicalType="timestamp-millis"),
        field("price", "bytes", **MONEY), field("tags", {"type": "array", "items": "string"}),
        field("to", {"type": "record", "name": "Place", "fields": [field("city", "string"), field("zip", "int")]}),
        field("from", ["null", "Place"]), field("raw", "bytes"),
        field("size", {"type": "enum", "name": "Size", "symbols": ["S", "L"]}),
    ],
}  # fmt: skip
ROW = {
    "id": 1, "paid": 1.5, "open": True, "name": "007", "day": date(2026, 1, 2),
    "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "price": Decimal("12.30"), "tags": ["a"],
    "to": {"city": "Ulm", "zip": 5}, "from": None, "raw": b"\xff", "size": "L",
}  # fmt: skip


def row_of(decoded):
    """The one row of the fields."""
    return {name: column[0].as_py() for name, column in columns_of([decoded.fields], 3).items()}


def written(schema, row, number=None):
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), row)
    return (b"" if number is None else b"\0" + number.to_bytes(4, "big")) + stream.getvalue()


@pytest.fixture
def server():
    with schema_registry() as found:
        yield found


@pytest.fixture
def decoder(server):
    return AvroDecoder(Registry(SchemaRegistry(url=server.url), NoSecrets(), 2), 3)


def test_fields_have_the_types_of_the_schema(server, decoder):
    server.put(3, ORDER)
    found = decoder.decode(written(ORDER, ROW, 3))
    assert row_of(found) == {
        "id": "1", "paid": "1.5", "open": "true", "name": "007", "day": "2026-01-02", "at": "2026-01-02T03:04:05Z",
        "price": "12.30", "tags": '["a"]', "to.city": "Ulm", "to.zip": "5", "from": None, "raw": "/w==", "size": "L",
    }  # fmt: skip
    assert {name: str(kind) for name, kind in found.types.items()} == {
        "id": "integer", "paid": "number", "open": "boolean", "name": "text", "day": "date", "at": "timestamp",
        "price": "text", "tags": "text", "to.city": "text", "to.zip": "integer", "from.city": "text",
        "from.zip": "integer", "raw": "text", "size": "text",
    }  # fmt: skip


def test_every_message_is_read_by_its_own_schema(server, decoder):
    old = {"type": "record", "name": "R", "fields": [field("id", "int")]}
    new = {"type": "record", "name": "R", "fields": [field("name", "string"), field("id", "int")]}
    server.put(1, old)
    server.put(2, new)
    found = [decoder.decode(written(old, {"id": 1}, 1)), decoder.decode(written(new, {"id": 2, "name": "b"}, 2))]
    assert [one.fields for one in found] == [{"id": 1}, {"name": "b", "id": 2}]
    decoder.decode(written(old, {"id": 3}, 1))
    assert len(server.asked) == 2


def test_imported_schemas(server, decoder):
    place = {"type": "record", "name": "Place", "namespace": "shop", "fields": [field("city", "string")]}
    outer = {"type": "record", "name": "Visit", "fields": [field("at", "shop.Place")]}
    server.put(4, outer, {"name": "shop.Place", "subject": "place", "version": 1})
    server.put(1, place, subject="place")
    whole = {"type": "record", "name": "Visit", "fields": [field("at", place)]}
    found = decoder.decode(written(whole, {"at": {"city": "Ulm"}}, 4))
    assert (found.fields, dict(found.types)) == ({"at": {"city": "Ulm"}}, {"at.city": ColumnType.TEXT})


def test_a_file_instead_of_a_registry(tmp_path):
    (tmp_path / "order.avsc").write_text('{"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}]}')
    schema = {"type": "record", "name": "R", "fields": [field("id", "int")]}
    assert AvroDecoder(tmp_path / "order.avsc", 3).decode(written(schema, {"id": 5})).fields == {"id": 5}


@pytest.mark.parametrize("text", ["{", '{"type": "what"}', '{"type": "record"}', None])
def test_a_schema_that_is_none_is_an_error(tmp_path, text):
    if text is not None:
        (tmp_path / "s.avsc").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        AvroDecoder(tmp_path / "s.avsc", 3).decode(b"")
    assert caught.value.code == "schema_invalid"


def test_an_unknown_schema_is_a_bad_message_not_a_stop(decoder):
    with pytest.raises(UndecodableError, match="no schema 9"):
        decoder.decode(b"\0\0\0\0\x09abc")


KNOWN = fastavro.parse_schema(ORDER)


@given(st.binary(max_size=80))
def test_bytes_that_are_not_avro_are_bad_messages(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "order.avsc"
    if not file.exists():
        file.write_text(json.dumps(ORDER))
    try:
        AvroDecoder(file, 3).decode(content)
    except UndecodableError:
        return
    assert fastavro.schemaless_reader(BytesIO(content), KNOWN, None)


def test_bytes_left_over_are_a_bad_message(server, decoder):
    server.put(3, ORDER)
    for content in (written(ORDER, ROW, 3) + b"x", written(ORDER, ROW, 3)[:-2], b"", b"{}"):
        with pytest.raises(UndecodableError):
            decoder.decode(content)
