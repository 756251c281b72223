"""Text in other encodings than UTF-8, and files in archives."""

import gzip
import io
import zipfile

import pytest
from pydantic import ValidationError

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.files import FilesSource

TEXT = "id,word\n1,Zoë\n2,€\n"


def zipped(members, **how):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **how)
    return sink.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_utf_is_found(project, source, encoding, name):
    text = TEXT if name == "a.csv" else '{"id": 1, "word": "Zoë"}\n{"id": 2, "word": "€"}\n'
    project.write(name, text.encode(encoding))
    project.ingest(source(name))
    assert project.rows() == [{"id": 1, "word": "Zoë"}, {"id": 2, "word": "€"}]


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-15", "utf-16-le", "cp1140"])
def test_another_encoding_is_named(project, source, encoding):
    spec = source("a.csv", options={"encoding": encoding})
    project.write("a.csv", TEXT.encode(encoding))
    project.ingest(spec)
    with (project.home / "a.csv").open("ab") as file:
        file.write("3,ï\n".encode(encoding))
    project.ingest(spec)
    assert {row["id"]: row["word"] for row in project.rows()} == {1: "Zoë", 2: "€", 3: "ï"}


def test_a_character_may_lie_across_the_blocks_in_which_it_is_read(project, source):
    words = ["€" * (n % 7 + 1) for n in range(200_000)]
    project.write("a.csv.gz", gzip.compress(("word\n" + "\n".join(words)).encode("gb18030"), 1))
    assert project.ingest(source("a.csv.gz", options={"encoding": "gb18030"})).rows == 200_000
    assert sum(len(word) for word in project.column("word")) == sum(map(len, words))


def test_text_that_is_not_utf_8_is_told_what_it_may_be(project, source):
    project.write("a.csv", TEXT.encode("cp1252"))
    with pytest.raises(InvalidInput, match="encoding: cp1252") as caught:
        project.ingest(source("a.csv"))
    assert caught.value.where == "a.csv:2"
    assert "ë" in caught.value.hint


def test_text_that_is_not_what_was_named(project, source):
    project.write("a.csv", TEXT.encode("cp1252"))
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source("a.csv", options={"encoding": "ascii"}))
    assert caught.value.code == "not_utf8"
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source("a.csv", options={"encoding": "shift_jis"}))
    assert caught.value.code == "encoding_wrong"


@pytest.mark.parametrize("name", ["klingon", "hex", "rot13", "zip"])
def test_an_encoding_that_there_is_not(name):
    with pytest.raises(ValidationError, match="no encoding"):
        FilesSource(kind="files", path="a.csv", encoding=name)


@pytest.mark.parametrize(
    ("outer", "inner", "content"),
    [
        ("a.csv.zip", "a.csv", TEXT.encode()),
        ("a.zip", "deep/b.csv", TEXT.encode("utf-16")),
        ("a.zip", "b.jsonl", '{"id": 1, "word": "Zoë"}\n{"id": 2, "word": "€"}\n'.encode()),
    ],
)
def test_a_zip_of_one_file_is_a_compression(project, source, outer, inner, content):
    project.write(f"in/{outer}", zipped({inner: content, "__MACOSX/._x": b"x", ".DS_Store": b"x"}))
    project.ingest(source("in"))
    assert project.rows() == [{"id": 1, "word": "Zoë"}, {"id": 2, "word": "€"}]


GOOD = zipped({"a.csv": "id\n" + "".join(f"{n * n}\n" for n in range(9999))})
LOCKED = bytearray(zipped({"a.csv": TEXT}))
LOCKED[LOCKED.index(b"PK\x01\x02") + 8] |= 1
BAD = {
    "two files": (zipped({"a.csv": TEXT, "b.csv": TEXT}), "zip_unreadable", "holds 2 files .a.csv, b.csv."),
    "none": (zipped({".hidden": "x"}), "zip_unreadable", "holds 0 files"),
    "cut off": (GOOD[:-100], "zip_unreadable", "damaged"),
    "damaged inside": (GOOD[:1000] + bytes(50) + GOOD[1050:], "file_damaged", "damaged"),
    "a password": (bytes(LOCKED), "zip_unreadable", "password"),
}


@pytest.mark.parametrize(("content", "code", "said"), BAD.values(), ids=BAD)
def test_archives_that_are_no_file(project, source, content, code, said):
    project.write("a.zip", content)
    with pytest.raises(InvalidInput, match=said) as caught:
        project.ingest(source("a.zip"))
    assert caught.value.code == code
    assert caught.value.where == "a.zip"
    assert caught.value.hint
