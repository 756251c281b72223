"""Looking at a source without loading it."""

import pyarrow as pa
import pytest
from tests.servers.rest import rest_service
from tests.servers.rest_sources import rest_source

from drivetrain.core.contract import ColumnRule, Contract
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import Forbidden, NotFound, Refused
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest import reading
from drivetrain.ingest.reading import Batch
from drivetrain.ingest.sampling import ask, sample

SPEC = FilesSource(kind="files", path="data/*.csv")


def taken(project, spec=SPEC, count=10):
    return sample(spec, "people", project.catalog, NoSecrets(), count)


def test_a_source_says_its_portions_and_reads_no_rows(project):
    for number in range(30):
        project.write(f"data/{number:02}.csv", "id,age\n1,\xff\xfe")
    found = ask(SPEC, "people", project.catalog, NoSecrets())
    assert (found.kind, found.portions, len(found.first)) == ("files", 30, 20)
    assert found.first[0].name == "data/00.csv"
    assert found.size == sum((project.home / f"data/{n:02}.csv").stat().st_size for n in range(30))


def test_a_source_that_is_not_there_says_so(project):
    with pytest.raises(NotFound) as caught:
        ask(SPEC, "people", project.catalog, NoSecrets())
    assert caught.value.hint


def test_a_service_that_gives_new_rows_only_is_asked_too(project):
    """Its loads do not begin with a question, so a wrong token would be found by none but a load."""
    with rest_service() as service:
        service.rows = [{"id": 1, "at": "2026-01-01T00:00:00Z"}]
        spec = rest_source(service, "since", incremental={"param": "updated_after", "field": "at"})
        assert ask(spec, "things", project.catalog, NoSecrets()).portions == 1
        service.accepts = lambda headers, query: False
        with pytest.raises(Forbidden, match="credentials_refused"):
            ask(spec, "things", project.catalog, NoSecrets())


def test_types_are_the_contracts_or_what_the_values_look_like(project):
    project.write("data/a.csv", "id,zip,day,age\n1,01234,2026-01-02,30\n2,99999,2026-01-03,\n")
    contract = Contract(columns={"zip": ColumnRule(type="text")})
    found = taken(project, SPEC.model_copy(update={"contract": contract}))
    assert {column.name: column.type for column in found.columns} == {
        "id": ColumnType.INTEGER, "zip": ColumnType.TEXT, "day": ColumnType.DATE, "age": ColumnType.INTEGER,
    }  # fmt: skip
    assert [row.values for row in found.rows] == [
        ("1", "01234", "2026-01-02", "30"),
        ("2", "99999", "2026-01-03", None),
    ]


def test_what_the_contract_would_refuse_says_why_and_where(project):
    project.write("data/a.csv", "id,age\n1,30\n2,7\n3\n3,x\n1,40\n")
    rules = {"age": ColumnRule(type="integer", min=18, nullable=False)}
    found = taken(project, SPEC.model_copy(update={"contract": Contract(key=("id",), columns=rules)}))
    assert [row.number for row in found.rows] == [1, 2, 3, 4, 5]
    assert [bool(row.refused) for row in found.rows] == [False, True, True, True, True]
    reasons = {row.number: " ".join(row.refused) for row in found.rows}
    assert "below 18" in reasons[2]
    assert "not an integer" in reasons[4]
    assert "earlier row" in reasons[5]


def test_a_row_that_cannot_be_taken_apart_is_shown_as_it_stands(project):
    project.write("data/a.jsonl", '{"id": 1}\n{broken\n{"id": 3}\n')
    found = taken(project, FilesSource(kind="files", path="data/*.jsonl"))
    assert [(row.number, row.values, row.broken) for row in found.rows] == [
        (1, ("1",), ""), (2, (), "{broken"), (3, ("3",), "")
    ]  # fmt: skip
    assert found.rows[1].refused


def test_a_few_rows_of_many_and_nothing_is_loaded_or_left(project):
    project.write("data/a.csv", "id\n" + "".join(f"{n}\n" for n in range(200_000)))
    before = sorted(path for path in project.home.rglob("*") if path.is_file() and "metadata" not in path.name)
    assert [row.values for row in taken(project, count=3).rows] == [("0",), ("1",), ("2",)]
    after = sorted(path for path in project.home.rglob("*") if path.is_file() and "metadata" not in path.name)
    assert after == before


def test_only_the_batches_that_are_needed_are_read(project, monkeypatch):
    class Endless:
        def discover(self):
            return ()

        def read(self, cursor):
            number = 0
            while True:
                number += 1
                yield Batch("stream", pa.table({"id": [str(number)]}), pa.array([number], pa.int64()))

    monkeypatch.setattr(reading, "open_reader", lambda spec, place: Endless())
    assert len(taken(project, count=5).rows) == 5


def test_a_contract_that_names_another_column_is_refused_as_by_a_load(project):
    project.write("data/a.csv", "id\n1\n")
    spec = SPEC.model_copy(update={"contract": Contract(columns={"age": ColumnRule(type="integer")})})
    with pytest.raises(Refused, match="age"):
        taken(project, spec)
