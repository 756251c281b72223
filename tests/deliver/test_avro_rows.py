"""Rows as Avro by a registry's schema, which other readers understand; and rows that are none."""

from datetime import UTC, date, datetime
from io import BytesIO

import fastavro
import pytest
from tests.servers.schema_registry import schema_registry

from drivetrain.connect.schema_registry import Registry
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.deliver.avro_rows import AvroRows, UnfitError

PLACE = {"type": "record", "name": "Place", "fields": [{"name": "city", "type": "string"}]}
SCHEMA = {
    "type": "record",
    "name": "Decision",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "risk", "type": ["null", "double"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "more", "type": ["null", "Place"], "default": None},
    ],
}
ROW = {"id": "k1", "risk": 0.5, "at": datetime(2026, 1, 2, 3, 4, 5, 600, UTC), "day": date(2026, 1, 2)}


@pytest.fixture
def registry():
    with schema_registry() as found:
        found.put(1, PLACE, subject="place")
        found.register("t-value", 7, SCHEMA, {"name": "Place", "subject": "place", "version": 1})
        yield found


def rows(registry):
    return AvroRows(Registry(SchemaRegistry(url=registry.url), NoSecrets(), 0), "t-value")


def test_a_row_is_a_record_behind_the_id_of_its_schema(registry):
    encoder = rows(registry)
    encoder.check(ROW)
    content = encoder.encode({**ROW, "more": {"city": "Köln"}})
    assert content[:5] == b"\0\0\0\0\x07"
    whole = fastavro.parse_schema(
        {**SCHEMA, "fields": [*SCHEMA["fields"][:4], {"name": "more", "type": ["null", PLACE]}]}
    )
    assert fastavro.schemaless_reader(BytesIO(content[5:]), whole, None) == {**ROW, "more": {"city": "Köln"}}
    asked = len(registry.asked)
    encoder.check(ROW)
    encoder.encode({**ROW, "risk": None})
    assert len(registry.asked) == asked, "a schema is asked for once"


@pytest.mark.parametrize("bad", [{"id": 7}, {"risk": "high"}, {"at": "today"}, {"id": None}, {"more": {"town": "x"}}])
def test_a_value_of_another_type_makes_no_record(registry, bad):
    encoder = rows(registry)
    encoder.learn()
    with pytest.raises(UnfitError, match="no record of the schema"):
        encoder.encode({**ROW, **bad})


def test_columns_that_are_not_the_fields_are_told_before_anything_is_sent(registry):
    with pytest.raises(InvalidInput, match="no field colour, no column day") as caught:
        rows(registry).check(["id", "risk", "at", "colour"])
    assert caught.value.code == "outlet_schema_unfit"


def test_a_schema_that_is_not_there_or_cannot_be_used(registry):
    registry.schemas.clear()
    with pytest.raises(NotFound, match="no schema"):
        rows(registry).learn()
    for schema in ({"type": "string"}, {"type": "wrong"}, {"syntax": "proto3"}):
        registry.register("t-value", 8, schema)
        with pytest.raises(InvalidInput) as caught:
            rows(registry).check(["id"])
        assert caught.value.code in {"schema_invalid", "outlet_schema_unfit"}
    registry.register("t-value", 9, SCHEMA, {"name": "Place", "subject": "nowhere", "version": 1})
    with pytest.raises(InvalidInput, match="Place"):
        rows(registry).learn()
