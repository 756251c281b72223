"""Garbage at the door: each kind gives a clear error with the file's name and the next step, and changes nothing."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.core.errors import InvalidInput

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8


def zst(data):
    return pa.compress(data, "zstd", asbytes=True)


def parquet_bytes():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": list(range(5000))}), sink)
    return sink.getvalue().to_pybytes()


def damaged(content):
    return content[:200] + bytes(500) + content[700:]


TEXT = b"id,word\n" + b"".join(b"%d,w%d\n" % (n, n * 7919) for n in range(5000))
GARBAGE = {
    "parquet that is a JPEG": ("a.parquet", JPEG, "parquet_invalid", "JPEG"),
    "parquet cut off": ("a.parquet", parquet_bytes()[:-200], "parquet_invalid", "cut off"),
    "parquet of two bytes": ("a.parquet", b"PA", "parquet_invalid", "not a Parquet"),
    "parquet damaged inside": ("a.parquet", damaged(parquet_bytes()), "parquet_invalid", "damaged"),
    "csv that is a JPEG": ("a.csv", JPEG, "not_text", "JPEG"),
    "csv that is an Excel workbook": ("a.csv", b"PK\x03\x04" + b"x" * 100, "not_text", "Excel"),
    "csv in UTF-16 without a mark": ("a.csv", "id,word\n1,é\n".encode("utf-16-le"), "not_text", "UTF-16"),
    "json lines that are a picture": ("a.jsonl", b"\x89PNG\r\n\x1a\n", "not_text", "PNG"),
    "one JSON array": ("a.jsonl", b' [\n{"id": 1}]\n', "json_array", "jq"),
    "empty": ("a.csv", b"", "file_empty", "empty"),
    "gz cut off": ("a.csv.gz", gzip.compress(TEXT)[:-500], "file_damaged", "ends early"),
    "bz2 cut off": ("a.csv.bz2", bz2.compress(TEXT)[:-500], "file_damaged", "ends early"),
    "xz cut off": ("a.csv.xz", lzma.compress(TEXT)[:-500], "file_damaged", "ends early"),
    "zst cut off": ("a.csv.zst", zst(TEXT)[:-500], "file_damaged", "ends early"),
    "gz damaged": ("a.jsonl.gz", damaged(gzip.compress(TEXT)), "file_damaged", "damaged"),
    "gz in name only": ("a.csv.gz", TEXT, "not_compressed", "rename"),
    "a JPEG called gz": ("a.csv.gz", JPEG, "not_compressed", "JPEG"),
    "csv in Latin-1": ("a.csv", b"id,word\n1,one\n2,d\xe9j\xe0\n", "not_utf8", "a.csv:3"),
    "Latin-1 in the header": ("a.csv", b"id,caf\xe9\n1,one\n", "not_utf8", "a.csv:1"),
    "json lines in Latin-1": ("a.jsonl", b'{"id": 1}\n{"id": "\xe9"}\n', "not_utf8", "a.jsonl:2"),
    "csv, one line of 10 MB": ("a.csv", b"id,word\n1," + b"x" * 10_000_000, "row_too_long", "4 MB"),
    "csv, a header of 10 MB": ("a.csv", b"x" * 10_000_000, "row_too_long", "4 MB"),
    "json, one line of 10 MB": ("a.jsonl", b'{"id": "' + b"x" * 10_000_000 + b'"}', "row_too_long", "4 MB"),
    "a quote never closed": ("a.csv", b'id,word\n1,"one\n' + b"2,two\n" * 2_000_000, "row_too_long", "quote"),
    "a quote never closed, small": ("a.csv", b'id,word\n1,"one\n2,two\n3,three\n', "quote_open", "quote"),
    "two columns of one name": ("a.csv", b"id,word,Word\n1,a,b\n", "column_twice", "word"),
    "line ends of old Macs": ("a.csv", b"id,word\r1,one\r", "csv_invalid", "does not name columns"),
    "a reserved name": ("a.csv", b"id,drivetrain_row\n1,2\n", "column_reserved", "rename"),
    "a name that tells no format": ("a.dat", TEXT, "format_unknown", "format: csv"),
    "a header and no rows": ("a.csv", b"id,word\n", "no_rows", "not one row"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "code", "said"), GARBAGE.values(), ids=GARBAGE)
def test_garbage(project, source, name, content, code, said):
    project.write(name, content)
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source(name))
    error = caught.value
    assert error.code == code
    assert name in error.where or code == "no_rows"
    assert error.hint
    assert said in str(error)
    assert "Traceback" not in str(error)
    assert not (project.home / ".drivetrain/lake").exists()


def test_a_good_file_beside_garbage_is_not_loaded_halfway(project, source):
    project.write("in/a.csv", "id\n1\n")
    project.write("in/b.csv.gz", gzip.compress(TEXT)[:-500])
    with pytest.raises(InvalidInput):
        project.ingest(source("in"))
    project.write("in/b.csv.gz", gzip.compress(b"id\n2\n"))
    project.ingest(source("in"))
    assert project.column("id") == [1, 2]


@pytest.mark.parametrize("opened", [gzip.compress, bz2.compress, lzma.compress, zst])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_every_compression_by_its_first_bytes_whatever_the_name(project, source, opened, name):
    plain = {"a.csv": TEXT, "a.jsonl": b'{"id": 0}\n' * 5000, "a.parquet": parquet_bytes()}[name]
    project.write(name, opened(plain))
    assert project.ingest(source(name)).rows == 5000
