"""The contract of a Reader, kept by files of every format; and which files a source means."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.connect.place import Place
from drivetrain.core.errors import NotFound
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.files import FilesReader
from drivetrain.testing.readers import ReaderContract


class TestCsv(ReaderContract):
    def make(self, home, rows):
        (home / "words.csv").write_text("id,word\n" + "".join(f"{number},{word}\n" for number, word in rows))
        return FilesSource(kind="files", path="words.csv")

    def add(self, home, rows):
        with (home / "words.csv").open("a") as file:
            file.writelines(f"{number},{word}\n" for number, word in rows)
        return FilesSource(kind="files", path="words.csv")

    def remove(self, home):
        (home / "words.csv").unlink()


class TestJsonLines(ReaderContract):
    def make(self, home, rows):
        (home / "words.jsonl").write_text("".join(json.dumps({"id": n, "word": w}) + "\n" for n, w in rows))
        return FilesSource(kind="files", path="words.jsonl")

    def add(self, home, rows):
        with (home / "words.jsonl").open("a") as file:
            file.writelines(json.dumps({"id": n, "word": w}) + "\n" for n, w in rows)
        return FilesSource(kind="files", path="words.jsonl")

    def remove(self, home):
        (home / "words.jsonl").unlink()


class TestParquetFolder(ReaderContract):
    def make(self, home, rows):
        (home / "in").mkdir(exist_ok=True)
        table = pa.table({"id": [n for n, _ in rows], "word": [w for _, w in rows]})
        pq.write_table(table, home / "in" / f"{rows[0][0]:03}.parquet")
        return FilesSource(kind="files", path="in")

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        for file in (home / "in").iterdir():
            file.unlink()


@pytest.mark.parametrize(
    ("path", "wanted", "found"),
    [
        ("in", "auto", ["in/a.csv", "in/b.jsonl.gz", "in/deep/c.csv"]),
        ("in", "csv", ["in/a.csv", "in/deep/c.csv"]),
        ("in/*.csv", "auto", ["in/_SUCCESS.csv", "in/a.csv"]),
        ("in/**/c.csv", "auto", ["in/deep/c.csv"]),
        ("in/notes.txt", "csv", ["in/notes.txt"]),
        ("in/odd[1].csv", "auto", ["in/odd[1].csv"]),
    ],
)
def test_a_path_a_folder_and_a_glob(tmp_path, path, wanted, found):
    for name in ("a.csv", "b.jsonl.gz", "deep/c.csv", "notes.txt", "_SUCCESS.csv", ".hidden/d.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("x\n1\n")
    if "[" in path:
        (tmp_path / path).write_text("x\n1\n")
    reader = FilesReader(FilesSource(kind="files", path=path, format=wanted), Place(tmp_path, tmp_path / "cache"))
    assert [portion.name for portion in reader.discover()] == found


def test_a_file_outside_of_the_project_goes_by_its_whole_path(tmp_path):
    (tmp_path / "elsewhere.csv").write_text("x\n1\n")
    reader = FilesReader(
        FilesSource(kind="files", path=str(tmp_path / "else*.csv")), Place(tmp_path / "home", tmp_path)
    )
    assert [portion.name for portion in reader.discover()] == [str(tmp_path / "elsewhere.csv")]


@pytest.mark.parametrize(("path", "said"), [("nowhere.csv", "no such file"), ("in", "ends in .csv"), ("*.csv", "no")])
def test_no_files_is_an_error_that_says_where_it_looked(tmp_path, path, said):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "readme.md").write_text("hello")
    reader = FilesReader(FilesSource(kind="files", path=path), Place(tmp_path, tmp_path))
    with pytest.raises(NotFound, match=said) as caught:
        reader.discover()
    assert caught.value.where == path
    assert caught.value.hint
