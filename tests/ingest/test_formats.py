"""What each format's values become, through the whole stage."""

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.connect.place import Place
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import open_reader
from drivetrain.store.files.content import Content
from drivetrain.store.files.parquet import read_parquet

UTC = datetime.UTC


def types(dataset):
    return {column.name: str(column.type) for column in dataset.schema.columns}


def test_csv_types_are_inferred_from_all_rows(project, source):
    project.write(
        "a.csv",
        "int,num,flag,day,moment,zip,mixed,none\n"
        "1,1.5,true,2024-02-29,2024-02-29T10:00:00Z,01234,1,\n"
        "-2,2,FALSE,2024-03-01,2024-03-01 10:00:00+02:00,99999,x,NA\n"
        "NA,,NULL,,,,,\n",
    )
    dataset = project.ingest(source("a.csv"))
    assert types(dataset) == {
        "int": "integer", "num": "number", "flag": "boolean", "day": "date", "moment": "timestamp",
        "zip": "text", "mixed": "text", "none": "text",
    }  # fmt: skip
    assert project.rows()[1] == {
        "int": -2, "num": 2.0, "flag": False, "day": datetime.date(2024, 3, 1),
        "moment": datetime.datetime(2024, 3, 1, 8, tzinfo=UTC), "zip": "99999", "mixed": "x", "none": None,
    }  # fmt: skip
    assert set(project.rows()[2].values()) == {None}


def test_late_values_count_for_the_type_too(project, source):
    early = "1,1,,2024-01-01,x\n" * 3000
    project.write("a.csv", f"int,num,late,text,none\n{early}2,1.5,7,soon,x\n")
    dataset = project.ingest(source("a.csv", options={"null_values": ["", "x"]}))
    assert types(dataset) == {"int": "integer", "num": "number", "late": "integer", "text": "text", "none": "text"}
    assert dataset.rows == 3001


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ";"), ("a.csv", "|"), ("a.tsv", "\t"), ("a.csv", "\t")])
def test_the_delimiter_is_found(project, source, name, mark):
    project.write(name, f"id{mark}word\n1{mark}one, two\n")
    project.ingest(source(name))
    assert project.rows() == [{"id": 1, "word": "one, two"}]


def test_csv_corners(project, source):
    text = '\ufeff"id","two\nlines",,"quo""te"\r\n1,"a\r\nb",é,"say ""x"""\r\n\r\n2,"NA",NA,"a,b"\r\n'
    project.write("a.csv", text.encode())
    project.ingest(source("a.csv"))
    assert project.rows() == [
        {"id": 1, "two\nlines": "a\r\nb", "column_3": "é", 'quo"te': 'say "x"'},
        {"id": 2, "two\nlines": None, "column_3": None, 'quo"te': "a,b"},
    ]


def test_rows_of_another_width_are_quarantined_with_their_line(project, source):
    project.write("a.csv", "id,word\n1,one\n2\n3,three,drei\n4,four\n")
    assert project.ingest(source("a.csv")).quarantined == 2
    assert project.column("id") == [1, 4]
    assert [(row["row"], json.loads(row["raw"]), row["reasons"]) for row in project.quarantined()] == [
        (2, "2", ["the row has 1 values for 2 columns"]),
        (3, "3,three,drei", ["the row has 3 values for 2 columns"]),
    ]


def test_broken_rows_are_numbered_right_over_many_blocks(project, source):
    rows = 150_000
    spec = source("a.csv", columns={"id": {"type": "integer", "one_of": [str(n) for n in (1, rows)]}})
    lines = (f"{n}\n" if n % 50_000 == 7 else f"{n},{'x' * 60}\n" for n in range(1, rows + 1))
    project.write("a.csv", "id,pad\n" + "".join(lines))
    project.ingest(spec)
    found = {row["row"]: json.loads(row["raw"]) for row in project.quarantined()}
    assert len(found) == rows - 2
    assert all(raw == str(n) if n % 50_000 == 7 else raw["id"] == str(n) for n, raw in found.items())


def test_json_lines(project, source):
    rows = [
        {"id": 1, "name": "José", "score": 1.5, "ok": True, "tags": ["a", "b"], "when": "2024-01-01T00:00:00Z"},
        {"id": 2, "score": 1e300, "ok": None, "tags": {"k": 1}, "name": ""},
        {"id": 9007199254740993, "when": None},
    ]
    project.write("a.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n\n")
    dataset = project.ingest(source("a.jsonl"))
    assert types(dataset) == {
        "id": "integer", "name": "text", "score": "number", "ok": "boolean", "tags": "text", "when": "timestamp",
    }  # fmt: skip
    assert [row["id"] for row in project.rows()] == [1, 2, 9007199254740993]
    assert project.rows()[0]["tags"] == '["a","b"]'
    assert project.rows()[1]["name"] is None
    assert project.rows()[1]["score"] == 1e300


def test_lines_that_are_no_object_are_quarantined(project, source):
    deep = '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    project.write("a.jsonl", f'{{"id": 1}}\n{{"id": NaN}}\n[1]\n{deep}\n{{"id"\n{{"id": 2}}\n{{}}')
    project.ingest(source("a.jsonl"))
    assert project.column("id") == [1, 2]
    assert [row["row"] for row in project.quarantined()] == [2, 3, 4, 5, 7]
    assert all("not a JSON object" in reasons[0] for reasons in project.reasons()[:4])
    assert project.reasons()[4] == ["the JSON object is empty"]


def test_a_field_left_out_of_json_is_missing_not_dropped(project, source):
    project.write("in/a.jsonl", '{"id": 1, "word": "one"}\n')
    project.ingest(source("in"))
    project.write("in/b.jsonl", '{"id": 2}\n')
    project.ingest(source("in"))
    assert project.column("word") == ["one", None]


def test_parquet_keeps_its_types_and_values(project, source):
    moment = datetime.datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    table = pa.table(
        {
            "int": pa.array([2**63 - 1, None], pa.int64()),
            "small": pa.array([1, 2], pa.uint8()),
            "num": pa.array([0.1, float("nan")]),
            "half": pa.array([0.1, 2.0], pa.float32()),
            "money": pa.array([decimal.Decimal("12.34"), None]),
            "flag": pa.array([True, False]),
            "code": pa.array(["007", "008"]),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "day": pa.array([datetime.date(2024, 1, 1), None]),
            "moment": pa.array([moment, None], pa.timestamp("ns", "Europe/Berlin")),
            "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("ms")),
            "list": pa.array([[1, 2], None]),
        }
    )
    pq.write_table(table, project.home / "a.parquet")
    dataset = project.ingest(source("a.parquet"))
    assert list(types(dataset).values()) == [
        "integer", "integer", "number", "number", "number", "boolean", "text", "text",
        "date", "timestamp", "timestamp", "text",
    ]  # fmt: skip
    assert project.rows()[0] == {
        "int": 2**63 - 1, "small": 1, "num": 0.1, "half": table["half"][0].as_py(), "money": 12.34, "flag": True,
        "code": "007", "kind": "a", "day": datetime.date(2024, 1, 1), "moment": moment,
        "naive": moment.replace(microsecond=123000), "list": "[1,2]",
    }  # fmt: skip
    assert project.rows()[1]["num"] is None


def test_a_large_parquet_file_is_not_held_in_memory(project, source):
    chance = np.random.default_rng(1)
    rows = pa.table({f"x{number}": chance.random(800_000) for number in range(5)})
    pq.write_table(rows, project.home / "large.parquet", row_group_size=50_000)
    size = rows.nbytes
    del rows
    before, most = pa.total_allocated_bytes(), 0
    for _ in open_reader(source("large.parquet"), Place(project.home, project.home / "cache")).read(""):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < size / 3


def test_progress_tells_bytes_and_rows(project, source):
    project.write("a.csv", "id\n" + "".join(f"{n}\n" for n in range(1000)) + "x\n")
    told = []
    spec = source("a.csv", columns={"id": {"type": "integer"}})
    ingest(spec, "people", project.catalog, lambda done, total, note: told.append((done, total, note)))
    size = (project.home / "a.csv").stat().st_size
    assert told[0] == (size, size, "1,001 rows")
    assert told[-1] == (size, size, "1,001 rows, 1 bad")


def test_csv_without_a_row_of_names(project, source):
    spec = source("a.csv", options={"names": ["id", "word"]})
    project.write("a.csv", "\ufeff1,one\n2,two\n")
    project.ingest(spec)
    project.append("a.csv", "3,three\n4\n")
    project.ingest(spec)
    assert project.column("id") == [1, 2, 3]
    assert [row["row"] for row in project.quarantined()] == [4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_with_lines_before_its_names_and_comments(project, source, encoding):
    spec = source("a.csv", options={"skip_lines": 2, "comment": "#"})
    project.write("a.csv", "# made by hand\nReport;of;2024\n\nid,word\n1,#one\n#2,two\n3,three".encode(encoding))
    project.ingest(spec)
    assert project.rows() == [{"id": 1, "word": "#one"}, {"id": 3, "word": "three"}]
    if encoding != "utf-16":
        project.append("a.csv", "\n# more\n4,four\n#")
        project.ingest(spec)
        assert project.column("id") == [1, 3, 4]


def test_comments_over_many_blocks(project, source):
    lines = "".join(f"# {n}\n{n},{'x' * (n % 90)}\n" for n in range(60_000))
    project.write("a.csv", "id,pad\n" + lines)
    assert project.ingest(source("a.csv", options={"comment": "#"})).rows == 60_000
    assert sum(project.column("id")) == sum(range(60_000))


@pytest.mark.parametrize(("rows", "letters", "batches"), [(200_000, 6, 3), (4_000, 24_000, 6)])
def test_parquet_comes_in_large_batches_and_wide_rows_in_smaller_ones(tmp_path, rows, letters, batches):
    path = tmp_path / "words.parquet"
    words = [f"{number:06}" * (letters // 6) for number in range(rows)]
    pq.write_table(pa.table({"word": words}), path, use_dictionary=False)
    found = [batch.rows for batch in read_parquet(Content("words.parquet", path))]
    assert len(found) == batches
    assert pa.concat_tables(found).column("word").to_pylist() == words
