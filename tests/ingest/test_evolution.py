"""A source whose columns change: refused with the diff and who reads them, or agreed to."""

import functools
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.core.artifacts import Estimate, Features, Model
from drivetrain.core.digest import FileDigest
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.schema import ColumnType, Schema


def refused(project, spec, *lines):
    before = project.rows() if (project.home / ".drivetrain/lake").exists() else None
    with pytest.raises(Refused) as caught:
        project.ingest(spec)
    assert caught.value.code == "schema_changed"
    assert [line.strip() for line in caught.value.message.splitlines()[1:]] == list(lines)
    assert "--accept-schema" in caught.value.hint
    assert before is None or project.rows() == before
    return caught.value


def types(dataset):
    return {column.name: str(column.type) for column in dataset.schema.columns}


@pytest.fixture
def source(source):
    """At most half of the rows may be bad."""
    return functools.partial(source, max_bad_share=0.5)


@pytest.fixture
def loaded(project, source):
    project.write("in/a.csv", "id,age,word\n1,30,one\n2,40,two\n")
    project.ingest(source("in"))
    return project


def test_a_new_column(loaded, source):
    loaded.write("in/b.csv", "id,age,word,score\n3,50,three,1.5\n")
    refused(loaded, source("in"), "+ score number")
    dataset = loaded.ingest(source("in"), accept_schema=True)
    assert types(dataset) == {"id": "integer", "age": "integer", "word": "text", "score": "number"}
    assert loaded.column("score") == [1.5, None, None]
    loaded.write("in/c.csv", "score,word,age,id\n2.5,four,60,4\n")  # order does not matter
    assert loaded.ingest(source("in")).rows == 4


def test_a_dropped_column(loaded, source):
    loaded.write("in/b.csv", "id,age\n3,50\n")
    refused(loaded, source("in"), "- word text")
    loaded.ingest(source("in"), accept_schema=True)
    assert loaded.column("word") == ["one", "two", None]
    loaded.write("in/c.csv", "id,age\n4,60\n")
    assert loaded.ingest(source("in")).rows == 4
    loaded.write("in/d.csv", "id,age,word\n5,70,five\n")
    refused(loaded, source("in"), "+ word text")


def test_a_retyped_column_takes_the_type_that_holds_both(loaded, source):
    loaded.write("in/b.csv", "id,age,word\n3,50.5,three\n4,60.5,four\n")
    refused(loaded, source("in"), "~ age: integer -> number")
    loaded.ingest(source("in"), accept_schema=True)
    assert loaded.column("age") == [30.0, 40.0, 50.5, 60.5]
    loaded.write("in/c.csv", "id,age,word\n5,old,five\n6,older,six\n")
    refused(loaded, source("in"), "~ age: number -> text")
    loaded.ingest(source("in"), accept_schema=True)
    assert loaded.column("age") == ["30.0", "40.0", "50.5", "60.5", "old", "older"]


def test_a_few_values_of_another_type_are_bad_rows_not_a_change(loaded, source):
    loaded.write("in/b.csv", "id,age,word\n3,50,three\n4,x,four\n5,60,five\n")
    assert loaded.ingest(source("in")).quarantined == 1
    assert loaded.reasons() == [["age: 'x' is not an integer"]]


def test_a_renamed_column_is_one_gone_and_one_new(loaded, source):
    loaded.write("in/b.csv", "id,years,word\n3,50,three\n")
    refused(loaded, source("in"), "- age integer", "+ years integer")


def test_a_column_whose_name_changes_its_case_is_named(loaded, source):
    loaded.write("in/b.csv", "id,Age,word\n3,50,three\n")
    with pytest.raises(InvalidInput, match=r"'Age' and 'age' differ in upper and lower case") as caught:
        loaded.ingest(source("in"), accept_schema=True)
    assert caught.value.hint


def test_files_of_one_load_that_differ(project, source):
    project.write("in/a.csv", "id,age\n1,30\n")
    project.write("in/b.csv", "id,word\n2,two\n")
    refused(project, source("in"), "- age integer", "+ word text")
    project.ingest(source("in"), accept_schema=True)
    assert project.rows() == [{"id": 1, "age": 30, "word": None}, {"id": 2, "age": None, "word": "two"}]


def test_a_contract_that_says_another_type_than_the_table(loaded, source):
    spec = source("in", columns={"age": {"type": "number"}})
    refused(loaded, spec, "~ age: integer -> number")
    dataset = loaded.ingest(spec, accept_schema=True)
    assert (types(dataset)["age"], loaded.column("age")) == ("number", [30.0, 40.0])
    assert loaded.ingest(spec) == dataset


def test_accepting_does_not_overrule_the_contract(project, source):
    spec = source("in", columns={"age": {"type": "integer"}}, max_bad_share=0.1)
    project.write("in/a.csv", "id,age\n1,30\n")
    project.ingest(spec)
    project.write("in/b.csv", "id,age\n2,old\n3,older\n")
    refused(project, spec, "~ age: integer -> text")
    with pytest.raises(Refused) as caught:
        project.ingest(spec, accept_schema=True)
    assert caught.value.code == "too_many_bad_rows"


def test_a_dropped_column_of_the_contract_cannot_be_accepted(project, source):
    spec = source("in", columns={"age": {"type": "integer"}})
    project.write("in/a.csv", "id,age\n1,30\n")
    project.ingest(spec)
    project.write("in/b.csv", "id\n2\n")
    refused(project, spec, "- age integer")
    with pytest.raises(Refused) as caught:
        project.ingest(spec, accept_schema=True)
    assert caught.value.code == "contract_column_missing"


def test_a_new_json_field(project, source):
    project.write("in/a.jsonl", '{"id": 1}\n')
    project.ingest(source("in"))
    project.write("in/b.jsonl", '{"id": 2}\n{"id": 3, "age": 4}\n')
    refused(project, source("in"), "+ age integer")


def test_parquet_types_are_what_the_file_declares(project, source):
    def put(name, **columns):
        (project.home / "in").mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), project.home / "in" / name)

    put("a.parquet", id=[1], code=["007"], share=[0.5])
    put("b.parquet", id=[1.5], code=["008"], share=[0.5])  # within one load the wider type is taken
    assert types(project.ingest(source("in"))) == {"id": "number", "code": "text", "share": "number"}
    put("c.parquet", id=[2], code=["9"], share=[1])  # integers fit into numbers
    assert project.ingest(source("in")).rows == 3
    put("d.parquet", id=["3"], code=["10"], share=[1.0])
    refused(project, source("in"), "~ id: number -> text")


def descend(project, dataset):
    project.write("features/cases.sql", "SELECT id, word = 'one' AS label FROM people -- not its age\n")
    project.write("features/person.sql", 'SELECT id, "age" AS years, aged FROM people\n')
    project.write("features/wide.sql", "SELECT * FROM people\n")
    nothing = Schema(())
    for name, files in {"risk": ("cases.sql", "person.sql"), "wide": ("wide.sql",), "other": ("cases.sql",)}.items():
        sql = tuple(FileDigest(f"features/{file}", "0", 1) for file in files)
        features = Features(name, 0, "f", "id", "label", None, nothing, (), sql, (dataset.ref,))
        project.catalog.put(features)
        model = Model(name, f"{name}1234567890", "x", Estimate("roc_auc", 1, 1, 1, 1), (), (features.ref,))
        project.catalog.put(model)


def test_the_refusal_names_the_features_and_models_that_read_the_column(project, source):
    project.write("in/a.csv", "id,age,word\n1,30,one\n")
    descend(project, project.ingest(source("in")))
    project.write("in/b.csv", "id,word,new\n2,two,x\n")
    refused(
        project,
        source("in"),
        "- age integer",
        "+ new text",
        "read by:",
        "features/risk@0: features/person.sql reads age",
        "model/risk@risk12345678: learned from features/risk",
        "features/wide@0: features/wide.sql reads every column (*)",
        "model/wide@wide12345678: learned from features/wide",
    )


def test_sql_that_is_gone_counts_as_reading(project, source):
    project.write("in/a.csv", "id,age,word\n1,30,one\n")
    descend(project, project.ingest(source("in")))
    (project.home / "features/cases.sql").unlink()
    project.write("in/b.csv", "id,word\n2,two\n")
    with pytest.raises(Refused, match=r"features/other@0: features/cases.sql is not there to look at"):
        project.ingest(source("in"))


def test_quarantined_rows_outlive_a_schema_change(project, source):
    project.write("in/a.csv", "id,age\n1,30\n2,x\n")
    project.ingest(source("in", columns={"age": {"type": "integer"}}))
    project.write("in/b.csv", "id,age,word\n3,50,three\n")
    spec = source("in", columns={"age": {"type": "text"}})
    project.ingest(spec, accept_schema=True)
    assert json.loads(project.quarantined()[0]["raw"]) == {"id": "2", "age": "x"}
    assert project.replay(spec).rows == 3
    assert {"id": 2, "age": "x", "word": None} in project.rows()
    assert ColumnType.TEXT.value in {str(column.type) for column in project.replay(spec).schema.columns}
