"""Protobuf messages: types, nesting, imports, and what is not Protobuf."""

import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from tests.servers.schema_registry import schema_registry

from drivetrain.connect.schema_registry import Registry
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.flat_columns import columns_of
from drivetrain.ingest.messages import UndecodableError
from drivetrain.ingest.protobuf_messages import ProtobufDecoder

F = descriptor_pb2.FieldDescriptorProto


def add(message, number, name, kind, *, label=F.LABEL_OPTIONAL, of=None):
    message.field.add(name=name, number=number, type=kind, label=label, type_name=of)


def row_of(decoded):
    """The one row of the fields."""
    return {name: column[0].as_py() for name, column in columns_of([decoded.fields], 3).items()}


def shop():
    """``message Place {city, zip}; message Order {message Line {sku}; id, to, lines, at, size, paid, counts...}``."""
    place = descriptor_pb2.FileDescriptorProto(name="place.proto", package="shop", syntax="proto3")
    message = place.message_type.add(name="Place")
    add(message, 1, "city", F.TYPE_STRING)
    add(message, 2, "zip", F.TYPE_INT32)
    file = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop", syntax="proto3")
    file.dependency.extend(["place.proto", "google/protobuf/timestamp.proto"])
    size = file.enum_type.add(name="Size")
    size.value.add(name="S", number=0)
    size.value.add(name="L", number=1)
    file.message_type.add(name="Other")
    order = file.message_type.add(name="Order")
    add(order.nested_type.add(name="Line"), 1, "sku", F.TYPE_STRING)
    entry = order.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    add(entry, 1, "key", F.TYPE_STRING)
    add(entry, 2, "value", F.TYPE_INT32)
    add(order, 1, "id", F.TYPE_INT64)
    add(order, 2, "to", F.TYPE_MESSAGE, of=".shop.Place")
    add(order, 3, "lines", F.TYPE_MESSAGE, label=F.LABEL_REPEATED, of=".shop.Order.Line")
    add(order, 4, "at", F.TYPE_MESSAGE, of=".google.protobuf.Timestamp")
    add(order, 5, "size", F.TYPE_ENUM, of=".shop.Size")
    add(order, 6, "paid", F.TYPE_BOOL)
    add(order, 7, "price", F.TYPE_DOUBLE)
    add(order, 8, "counts", F.TYPE_MESSAGE, label=F.LABEL_REPEATED, of=".shop.Order.CountsEntry")
    return place, file


@pytest.fixture
def files():
    return shop()


@pytest.fixture
def pool(files):
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for file in files:
        pool.Add(file)
    return pool


@pytest.fixture
def order(pool):
    made = GetMessageClass(pool.FindMessageTypeByName("shop.Order"))()
    made.id, made.size, made.price = 7, 1, 0.5
    made.to.city = "Ulm"
    made.lines.add().sku = "a"
    made.at.FromJsonString("2026-01-02T03:04:05Z")
    made.counts["x"] = 2
    return made


FLAT = {
    "id": "7", "to.city": "Ulm", "to.zip": "0", "lines": '[{"sku":"a"}]', "at": "2026-01-02T03:04:05Z", "size": "L",
    "paid": "false", "price": "0.5", "counts": '[{"key":"x","value":2}]',
}  # fmt: skip
TYPES = {
    "id": "integer", "to.city": "text", "to.zip": "integer", "lines": "text", "at": "timestamp", "size": "text",
    "paid": "boolean", "price": "number", "counts": "text",
}  # fmt: skip


def test_by_registry_with_imports_and_the_path_of_the_message(files, pool, order):
    with schema_registry() as server:
        server.put(5, files[1].SerializeToString(), {"name": "place.proto", "subject": "place", "version": 1})
        server.put(1, files[0].SerializeToString(), subject="place")
        decoder = ProtobufDecoder(Registry(SchemaRegistry(url=server.url), NoSecrets(), 2), "", 3)
        found = decoder.decode(b"\0\0\0\0\x05" + b"\x02\x02" + order.SerializeToString())
        assert row_of(found) == FLAT
        assert {name: str(kind) for name, kind in found.types.items()} == TYPES
        line = GetMessageClass(pool.FindMessageTypeByName("shop.Order.Line"))(sku="b")
        nested = decoder.decode(b"\0\0\0\0\x05" + b"\x04\x02\x00" + line.SerializeToString())
        assert nested.fields == {"sku": "b"}
        assert decoder.decode(b"\0\0\0\0\x05\x00").fields == {}
        bad = [b"\0\0\0\0\x05", b"\0\0\0\0\x05\xff", b"\0\0\0\0\x05\x02\x63", b"\0\0\0\0\x06\0", b"\x08\x01", b""]
        for content in [*bad, b"\0\0\0\0\x05\x02\x02\xff\xff"]:
            with pytest.raises(UndecodableError):
                decoder.decode(content)


def test_by_a_file_of_descriptors(files, order, tmp_path):
    every = descriptor_pb2.FileDescriptorSet()
    standard = descriptor_pb2.FileDescriptorProto.FromString(timestamp_pb2.DESCRIPTOR.serialized_pb)
    every.file.extend([standard, *files])
    (tmp_path / "shop.desc").write_bytes(every.SerializeToString())
    decoder = ProtobufDecoder(tmp_path / "shop.desc", "shop.Order", 3)
    assert row_of(decoder.decode(order.SerializeToString())) == FLAT
    order.ClearField("to")
    assert row_of(decoder.decode(order.SerializeToString()))["to"] is None
    with pytest.raises(InvalidInput, match="descriptors"):
        ProtobufDecoder(tmp_path / "shop.desc", "shop.What", 3).decode(b"")
    with pytest.raises(InvalidInput, match="descriptors"):
        ProtobufDecoder(tmp_path / "none.desc", "shop.Order", 3).decode(b"")


def test_a_registry_that_cannot_serialize_is_said_to_be_so(files):
    with schema_registry() as server:
        server.schemas["/schemas/ids/5?format=serialized"] = {"schema": 'syntax = "proto3";'}
        decoder = ProtobufDecoder(Registry(SchemaRegistry(url=server.url), NoSecrets(), 2), "", 3)
        with pytest.raises(InvalidInput, match="no Protobuf schema") as caught:
            decoder.decode(b"\0\0\0\0\x05\0")
        assert "schema_file" in caught.value.hint
