"""Arrow and Avro: values and types, growth, damage."""

import datetime
import decimal
import io
import json

import fastavro
import pyarrow as pa
import pyarrow.feather
import pytest

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.sources.files import FilesSource
from drivetrain.testing.readers import ReaderContract

MOMENT = datetime.datetime(2024, 1, 1, 12, 0, 0, 123000, tzinfo=datetime.UTC)
WORDS = {
    "type": "record",
    "name": "word",
    "fields": [{"name": "id", "type": "long"}, {"name": "word", "type": ["null", "string"]}],
}


def ipc(table, opened=pa.ipc.new_file, rows=None):
    sink = pa.BufferOutputStream()
    with opened(sink, table.schema) as writer:
        writer.write_table(table, rows)
    return sink.getvalue().to_pybytes()


def avro(rows, schema=None, codec="null"):
    sink = io.BytesIO()
    fastavro.writer(sink, schema or WORDS, rows, codec=codec, sync_interval=200)
    return sink.getvalue()


def words(rows):
    return [{"id": number, "word": word} for number, word in rows]


class TestArrowFolder(ReaderContract):
    def make(self, home, rows):
        (home / "in").mkdir(exist_ok=True)
        table = pa.table({"id": [n for n, _ in rows], "word": [w for _, w in rows]})
        (home / "in" / f"{rows[0][0]:03}.arrow").write_bytes(ipc(table))
        return FilesSource(kind="files", path="in")

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        for file in (home / "in").iterdir():
            file.unlink()


class TestAvro(ReaderContract):
    def make(self, home, rows):
        (home / "words.avro").write_bytes(avro(words(rows)))
        return FilesSource(kind="files", path="words.avro")

    def add(self, home, rows):
        with (home / "words.avro").open("a+b") as file:
            fastavro.writer(file, WORDS, words(rows))
        return FilesSource(kind="files", path="words.avro")

    def remove(self, home):
        (home / "words.avro").unlink()


@pytest.mark.parametrize("opened", [pa.ipc.new_file, pa.ipc.new_stream], ids=["file", "stream"])
def test_both_forms_of_arrow_keep_types_and_values(project, source, opened):
    table = pa.table(
        {
            "int": pa.array([2**63 - 1, None]),
            "num": pa.array([0.1, float("nan")]),
            "money": pa.array([decimal.Decimal("12.34"), None]),
            "flag": [True, False],
            "code": ["007", "008"],
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "day": pa.array([datetime.date(2024, 1, 1), None]),
            "moment": pa.array([MOMENT, None], pa.timestamp("ns", "Europe/Berlin")),
            "list": pa.array([[1, 2], None]),
        }
    )
    project.write("a.arrow", ipc(table, opened))
    dataset = project.ingest(source("a.arrow"))
    assert [str(column.type) for column in dataset.schema.columns] == [
        "integer", "number", "number", "boolean", "text", "text", "date", "timestamp", "text",
    ]  # fmt: skip
    assert project.rows()[0] == {
        "int": 2**63 - 1, "num": 0.1, "money": 12.34, "flag": True, "code": "007", "kind": "a",
        "day": datetime.date(2024, 1, 1), "moment": MOMENT, "list": "[1,2]",
    }  # fmt: skip


def test_arrow_of_many_batches_is_numbered_through(project, source):
    table = pa.table({"id": list(range(100_000))})
    project.write("a.dat", ipc(table, pa.ipc.new_stream, 30_000))
    project.ingest(source("a.dat", options={"format": "arrow"}, columns={"id": {"type": "integer", "max": 99_998}}))
    assert [row["row"] for row in project.quarantined()] == [100_000]
    pyarrow.feather.write_feather(table, project.home / "b.feather")  # packed with lz4
    assert project.ingest(source("b.feather"), "feather").rows == 100_000


def test_arrow_does_not_grow(project, source):
    project.write("a.arrow", ipc(pa.table({"id": [1]})))
    project.ingest(source("a.arrow"))
    project.write("a.arrow", ipc(pa.table({"id": [1, 2]})))
    with pytest.raises(Refused) as caught:
        project.ingest(source("a.arrow"))
    assert caught.value.code == "file_rewritten"


LONG = ipc(pa.table({"id": list(range(50_000))}), rows=1000)
STREAM = ipc(pa.table({"id": list(range(50_000))}), pa.ipc.new_stream, 1000)


@pytest.mark.parametrize(
    "content",
    [LONG[:-100], LONG[:-300] + b"\xff" * 200 + LONG[-100:], STREAM[:-2000], STREAM + b"more", b"\xff\xd8\xff" * 99],
    ids=["cut off", "damaged", "stream cut off", "stream with more", "picture"],
)
def test_arrow_that_is_none(project, source, content):
    project.write("a.arrow", content)
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source("a.arrow"))
    assert caught.value.code == "arrow_unreadable"
    assert caught.value.where == "a.arrow"


def test_avro_keeps_types_and_values(project, source):
    logical = {
        "money": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        "day": {"type": "int", "logicalType": "date"},
        "moment": {"type": "long", "logicalType": "timestamp-micros"},
        "uuid": {"type": "string", "logicalType": "uuid"},
    }
    plain = {"int": ["null", "long"], "num": "double", "flag": "boolean", "code": "string", "either": ["int", "string"]}
    nested = {
        "list": {"type": "array", "items": "int"},
        "kind": {"type": "enum", "name": "kind", "symbols": ["A", "B"]},
        "raw": "bytes",
    }
    fields = [{"name": name, "type": kind} for name, kind in (plain | logical | nested).items()]
    row = {
        "int": 2**62, "num": 0.1, "flag": True, "code": "007", "either": "x", "money": decimal.Decimal("12.34"),
        "day": datetime.date(2024, 1, 1), "moment": MOMENT, "uuid": "12345678-1234-5678-1234-567812345678",
        "list": [1, 2], "kind": "A", "raw": b"\x00\xff",
    }  # fmt: skip
    project.write(
        "a.avro",
        avro([row, row | {"int": None, "num": float("nan")}], {"type": "record", "name": "r", "fields": fields}),
    )
    dataset = project.ingest(source("a.avro"))
    types = {column.name: str(column.type) for column in dataset.schema.columns}
    assert types == {
        "int": "integer", "num": "number", "flag": "boolean", "code": "text", "either": "text", "money": "number",
        "day": "date", "moment": "timestamp", "uuid": "text", "list": "text", "kind": "text", "raw": "text",
    }  # fmt: skip
    assert project.rows()[0] == row | {"money": 12.34, "list": "[1,2]", "raw": '"AP8="'}
    assert (project.rows()[1]["int"], project.rows()[1]["num"]) == (None, None)


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz"])
def test_avro_blocks_of_every_codec(project, source, codec):
    project.write("a.avro", avro(words((n, f"w{n}") for n in range(12_000)), codec=codec))
    assert project.ingest(source("a.avro")).rows == 12_000


@pytest.mark.parametrize(
    ("codec", "pack"),
    [
        ("snappy", lambda block: pa.compress(block, "snappy", asbytes=True) + bytes(4)),
        ("zstandard", lambda block: pa.compress(block, "zstd", asbytes=True)),
    ],
)
def test_avro_blocks_that_fastavro_needs_more_libraries_for(project, source, codec, pack):
    rows = b"".join(bytes([2 * n, 2, 2, ord("a")]) for n in range(3))
    project.write("a.avro", container(codec, [(3, pack(rows))]))
    project.ingest(source("a.avro"))
    assert project.rows() == [{"id": n, "word": "a"} for n in range(3)]


def container(codec, blocks, schema=None):
    """An Avro file by hand: the counts and bytes of its blocks as they are told."""
    head = {"avro.schema": json.dumps(schema or WORDS).encode(), "avro.codec": codec.encode()}
    facts = b"".join(long(len(key)) + key.encode() + long(len(value)) + value for key, value in head.items())
    sync = bytes(range(16))
    body = b"".join(long(count) + long(len(packed)) + packed + sync for count, packed in blocks)
    return b"Obj\x01" + long(len(head)) + facts + long(0) + sync + body


def long(number):
    number, out = number << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


GOOD = avro(words((n, f"w{n}") for n in range(1000)))
EMPTY = {"type": "record", "name": "nothing", "fields": [{"name": "id", "type": "null"}]}
NO_AVRO = {
    "a picture": (b"\xff\xd8\xff" * 99, "begin"),
    "cut off": (GOOD[:-7], "cut off"),
    "damaged": (GOOD[:400] + b"\xff" * 9 + GOOD[409:], "row"),
    "an unknown codec": (container("lzo", []), "lzo"),
    "no record": (container("null", [], {"type": "string"}), "record"),
    "more rows than bytes": (container("null", [(1 << 60, b"")], EMPTY), "fewer bytes"),
    "a block of terabytes": (container("null", [])[:-16] + bytes(range(16)) + long(1) + long(1 << 45), "bytes"),
    "a small block that unpacks to more than memory": (
        container("zstandard", [(1, pa.compress(bytes(100_000_000), "zstd", asbytes=True))]),
        "larger",
    ),
    "two columns of one name but for case": (
        container("null", [], {"type": "record", "name": "r", "fields": [{"name": n, "type": "int"} for n in "aA"]}),
        "upper and lower case",
    ),
}


@pytest.mark.parametrize(("content", "said"), NO_AVRO.values(), ids=NO_AVRO)
def test_avro_that_is_none(project, source, content, said):
    project.write("a.avro", content)
    with pytest.raises(InvalidInput, match=said) as caught:
        project.ingest(source("a.avro", options={"format": "avro"}))
    assert caught.value.code in ("avro_invalid", "column_twice")
    assert caught.value.where == "a.avro"


def test_avro_rewritten_is_refused(project, source):
    project.write("a.avro", avro(words([(1, "one"), (2, "two")])))
    project.ingest(source("a.avro"))
    project.write("a.avro", avro(words([(1, "one"), (3, "two")])))
    with pytest.raises(Refused) as caught:
        project.ingest(source("a.avro"))
    assert caught.value.code == "file_rewritten"
