"""What is new, what grew, what was rewritten, what went away."""

import bz2
import gzip
import lzma
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.connect.place import Place
from drivetrain.core.errors import NotFound, Refused
from drivetrain.ingest.reading import Batch, Position, open_reader

COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def test_a_new_file_beside_loaded_ones(project, source):
    project.write("in/a.csv", "id\n1\n2\n")
    first = project.ingest(source("in"))
    project.write("in/b.csv", "id\n3\n")
    second = project.ingest(source("in"))
    assert project.column("id") == [1, 2, 3]
    assert (first.version, second.version) == (0, 1)
    assert first.digest != second.digest


def test_nothing_new_is_the_same_dataset_and_no_new_version(project, source):
    project.write("a.csv", "id\n1\n")
    first = project.ingest(source("a.csv"))
    os.utime(project.home / "a.csv")  # touched, not changed
    assert project.ingest(source("a.csv")) == first


def test_rows_appended_to_a_file_keep_their_numbers(project, source):
    spec = source("a.csv", columns={"id": {"type": "integer"}})
    project.write("a.csv", "id\n1\nx\n")
    project.ingest(spec)
    project.append("a.csv", "3\ny\n")
    project.ingest(spec)
    assert project.column("id") == [1, 3]
    assert [(row["row"], row["portion"]) for row in project.quarantined()] == [(2, "a.csv"), (4, "a.csv")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_last_row_without_a_line_end_may_get_one(project, source, end):
    project.write("a.csv", f"id{end}1{end}2")
    project.ingest(source("a.csv"))
    project.append("a.csv", end)
    project.ingest(source("a.csv"))
    project.append("a.csv", f"3{end}")
    project.ingest(source("a.csv"))
    assert project.column("id") == [1, 2, 3]


def test_a_last_row_that_goes_on_is_a_rewritten_file(project, source):
    project.write("a.csv", "id\n1\n2")
    project.ingest(source("a.csv"))
    project.append("a.csv", "2\n")
    with pytest.raises(Refused) as caught:
        project.ingest(source("a.csv"))
    assert caught.value.code == "file_rewritten"
    assert project.column("id") == [1, 2]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_grows_by_its_content(project, source, suffix):
    compress = COMPRESS[suffix]
    project.write(f"a.csv.{suffix}", compress(b"id\n1\n"))
    project.ingest(source(f"a.csv.{suffix}"))
    project.write(f"a.csv.{suffix}", compress(b"id\n1\n2\n"))  # made anew, one row longer
    project.ingest(source(f"a.csv.{suffix}"))
    with (project.home / f"a.csv.{suffix}").open("ab") as file:
        file.write(compress(b"3\n"))  # a second member
    project.ingest(source(f"a.csv.{suffix}"))
    assert project.column("id") == [1, 2, 3]


@pytest.mark.parametrize("text", ["id\n1\n9\n", "id\n1\n", "", "id\n9\n2\n3\n"])
def test_a_rewritten_file_is_refused_with_what_to_do(project, source, text):
    project.write("a.csv", "id\n1\n2\n")
    first = project.ingest(source("a.csv"))
    project.write("a.csv", text or "\n")
    with pytest.raises(Refused, match="not what was loaded") as caught:
        project.ingest(source("a.csv"))
    assert caught.value.where == "a.csv"
    assert "file of their own" in caught.value.hint
    assert project.column("id") == [1, 2]
    project.write("a.csv", "id\n1\n2\n")
    assert project.ingest(source("a.csv")) == first


def test_changes_may_replace_all_rows(project, source):
    spec = source("in", options={"changes": "replace"})
    project.write("in/a.csv", "id\n1\n2\n")
    project.write("in/b.csv", "id\n3\nx\n")
    project.ingest(spec)
    project.append("in/a.csv", "4\n")
    first = project.ingest(spec)
    assert project.ingest(spec) == first
    project.write("in/a.csv", "id\n9\n2\n")
    project.write("in/c.csv", "id\n5\n")
    second = project.ingest(spec)
    assert project.column("id") == ["2", "3", "5", "9", "x"]
    assert second.rows == 5
    assert project.ingest(spec) == second
    (project.home / "in/b.csv").unlink()
    assert project.ingest(spec).rows == 3
    assert project.column("id") == ["2", "5", "9"]
    for name in ("a", "c"):
        (project.home / f"in/{name}.csv").unlink()
    with pytest.raises(NotFound):  # an empty folder is more likely a fault than the wish to lose all rows
        project.ingest(spec)
    assert project.column("id") == ["2", "5", "9"]


def test_parquet_does_not_grow(project, source):
    pq.write_table(pa.table({"id": [1]}), project.home / "a.parquet")
    project.ingest(source("a.parquet"))
    pq.write_table(pa.table({"id": [1, 2]}), project.home / "a.parquet")
    with pytest.raises(Refused) as caught:
        project.ingest(source("a.parquet"))
    assert caught.value.code == "file_rewritten"


def test_a_deleted_file_takes_no_rows_with_it_and_may_come_back(project, source):
    a = project.write("in/a.csv", "id\n1\n")
    project.write("in/b.csv", "id\n2\n")
    first = project.ingest(source("in"))
    content = a.read_bytes()
    a.unlink()
    assert project.ingest(source("in")) == first
    a.write_bytes(content)
    assert project.ingest(source("in")) == first


def test_a_renamed_file_is_not_loaded_again_but_a_copy_is(project, source):
    a = project.write("in/a.csv", "id\n1\n")
    first = project.ingest(source("in"))
    a.rename(project.home / "in" / "z.csv")
    assert project.ingest(source("in")) == first
    project.write("in/copy.csv", "id\n1\n")
    project.ingest(source("in"))
    assert project.column("id") == [1, 1]


def test_a_header_without_rows_is_nothing_new(project, source):
    project.write("in/a.csv", "id\n1\n")
    first = project.ingest(source("in"))
    project.write("in/b.csv", "id\n")
    assert project.ingest(source("in")) == first
    project.append("in/b.csv", "2\n")
    project.ingest(source("in"))
    assert project.column("id") == [1, 2]


def test_many_files_have_few_positions_and_each_is_a_place_to_go_on(project, source):
    for number in range(60):
        project.write(f"in/{number:02}.csv", f"id\n{number}\n")
    reader = open_reader(source("in"), Place(project.home, project.home / "cache"))
    items = list(reader.read(""))
    places = [place for place, item in enumerate(items) if isinstance(item, Position)]
    assert len(places) < 20  # a cursor names every file: one after each would take quadratic time
    assert places[-1] == len(items) - 1
    for place in places:
        rest = [item.portion for item in reader.read(items[place].cursor) if isinstance(item, Batch)]
        assert rest == [item.portion for item in items[place:] if isinstance(item, Batch)]
