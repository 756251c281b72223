"""The kind ``rest`` against a real service: the contract of a Reader, and how a source grows."""

import random
import subprocess
import sys

import pytest
from tests.servers.rest_sources import ids, read, read_batches, rest_source, some_rows

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.store.files.batches import Change
from drivetrain.testing.readers import ReaderContract


class InService(ReaderContract):
    @pytest.fixture(autouse=True)
    def _service(self, service):
        self.service = service
        service.field = "id"

    def make(self, home, rows):
        self.service.rows[:] = [{"id": number, "word": word} for number, word in rows]
        return self.source()

    def add(self, home, rows):
        self.service.rows += [{"id": number, "word": word} for number, word in rows]
        return self.source()

    def remove(self, home):
        self.service.gone = True


class TestGrowing(InService):
    def source(self):
        return rest_source(self.service, "page")


class TestIncremental(InService):
    def source(self):
        return rest_source(self.service, "since", incremental={**BY_AT, "field": "id", "format": "number"})


BY_AT = {"param": "updated_after", "field": "at"}


def stamped(*pairs):
    return [{"id": number, "at": at} for number, at in pairs]


def test_rows_at_the_largest_moment_are_given_once(service, tmp_path):
    spec = rest_source(service, "since", incremental=BY_AT)
    service.rows = stamped((1, "2026-01-01T10:00:00Z"), (2, "2026-01-01T11:00:00Z"))
    rows, cursor = read(spec, tmp_path)
    assert ids(rows) == [1, 2]
    service.rows += stamped((3, "2026-01-01T11:00:00Z"), (4, "2026-01-01T12:00:00Z"))
    rows, after = read(spec, tmp_path, cursor)
    assert ids(rows) == [3, 4]
    assert service.asked[-1][1]["updated_after"] == "2026-01-01T11:00:00Z"
    assert read(spec, tmp_path, after) == ([], "")
    assert ids(read(spec, tmp_path, cursor)[0]) == [3, 4], "the old cursor gives the same again"


def test_a_row_that_changed_at_the_same_moment_is_given_again(service, tmp_path):
    spec = rest_source(service, "since", key=["id"], incremental=BY_AT)
    service.rows = stamped((1, "2026-01-01T10:00:00Z"))
    _, cursor = read(spec, tmp_path)
    service.rows[0]["word"] = "changed"
    (batch,), _ = read_batches(spec, tmp_path, cursor)
    assert batch.change is Change.PUT
    assert batch.rows.column("word").to_pylist() == ["changed"]


def test_looking_back_finds_late_rows_and_gives_none_twice(service, tmp_path):
    spec = rest_source(service, "since", incremental={**BY_AT, "look_back_seconds": 3600})
    service.rows = stamped((1, "2026-01-01T09:30:00Z"), (2, "2026-01-01T10:00:00Z"))
    _, cursor = read(spec, tmp_path)
    service.rows += stamped((3, "2026-01-01T09:15:00Z"))
    rows, after = read(spec, tmp_path, cursor)
    assert ids(rows) == [3]
    assert service.asked[-1][1]["updated_after"] == "2026-01-01T09:00:00Z"
    assert read(spec, tmp_path, after) == ([], "")


@pytest.mark.parametrize(
    ("form", "values", "asked"),
    [
        ("unix", (1_700_000_000, 1_700_000_100), "1700000100"),
        ("unix_ms", (1_700_000_000_500, 1_700_000_100_250), "1700000100250"),
        ("number", (7, 12), "12"),
    ],
)
def test_moments_are_asked_for_as_the_service_writes_them(service, tmp_path, form, values, asked):
    spec = rest_source(service, "since", incremental={**BY_AT, "format": form, "start": str(values[0])})
    service.rows = stamped(*enumerate(values))
    rows, cursor = read(spec, tmp_path)
    assert len(rows) == 2
    assert service.asked[0][1]["updated_after"] == str(values[0])
    assert read(spec, tmp_path, cursor) == ([], "")
    assert service.asked[-1][1]["updated_after"] == asked


def test_a_service_that_passes_over_the_parameter_doubles_nothing(service, tmp_path):
    spec = rest_source(service, "since", incremental={**BY_AT, "param": "not_known"})
    service.rows = stamped((1, "2026-01-01T10:00:00Z"), (2, "2026-01-02T10:00:00Z"))
    _, cursor = read(spec, tmp_path)
    service.rows += stamped((3, "2026-01-03T10:00:00Z"))
    assert ids(read(spec, tmp_path, cursor)[0]) == [3]


def test_rows_that_are_marked_as_deleted_go(service, tmp_path):
    spec = rest_source(service, "since", key=["id"], incremental=BY_AT, deleted="gone")
    service.rows = [{"id": number, "at": f"2026-01-0{number}", "gone": None} for number in (1, 2, 3)]
    _, cursor = read(spec, tmp_path)
    service.rows += [{"id": 1, "at": "2026-01-04", "gone": True}, {"id": 2, "at": "2026-01-05", "gone": False}]
    service.rows += [{"id": 5, "at": "2026-01-06", "gone": True}, {"id": 5, "at": "2026-01-07", "gone": False}]
    (put, drop), _ = read_batches(spec, tmp_path, cursor)
    assert (put.change, put.rows.column("id").to_pylist()) == (Change.PUT, ["2", "5"]), "the last change counts"
    assert (drop.change, drop.rows.to_pydict()) == (Change.DROP, {"id": ["1"]})
    assert sorted(put.numbers.to_pylist() + drop.numbers.to_pylist()) == [1, 2, 4]


@pytest.mark.parametrize("value", [None, "yesterday"])
def test_a_row_without_its_moment_is_an_error(service, tmp_path, value):
    service.rows = [{"id": 1, "at": value}]
    with pytest.raises(InvalidInput, match="at is ") as caught:
        read(rest_source(service, "since", incremental=BY_AT), tmp_path)
    assert caught.value.code == "incremental_invalid"


def test_without_a_key_rows_may_only_be_added_at_the_end(service, tmp_path):
    spec = rest_source(service, "page")
    service.rows = some_rows(5)
    _, cursor = read(spec, tmp_path)
    service.rows[1]["word"] = "another"
    service.rows += some_rows(1, first=6)
    with pytest.raises(Refused) as caught:
        read(spec, tmp_path, cursor)
    assert caught.value.code == "source_rewritten"
    del service.rows[3:]
    with pytest.raises(Refused, match="first 5 rows"):
        read(spec, tmp_path, cursor)


def test_with_a_key_the_rows_are_the_whole_source(service, tmp_path):
    spec = rest_source(service, "page", key=["id"])
    service.rows = some_rows(5)
    _, cursor = read(spec, tmp_path)
    assert read(spec, tmp_path, cursor) == ([], "")
    del service.rows[1]
    service.rows[0]["price"] = 1.10
    batches, after = read_batches(spec, tmp_path, cursor)
    assert {batch.change for batch in batches} == {Change.WHOLE}
    assert next(row for batch in batches for row in batch.rows.to_pylist()) == {
        "id": "1",
        "word": "word 1",
        "price": "1.1",
    }
    assert read(spec, tmp_path, after) == ([], "")
    service.rows.clear()
    with pytest.raises(Refused) as caught:
        read(spec, tmp_path, after)
    assert caught.value.code == "source_emptied"


def test_no_rows_at_first_are_no_error_of_the_reader(service, tmp_path):
    assert read(rest_source(service, "page"), tmp_path) == ([], "")
    assert read(rest_source(service, "page", key=["id"]), tmp_path) == ([], "")
    assert read(rest_source(service, "since", incremental=BY_AT), tmp_path) == ([], "")


LOAD = """
import sys
from pathlib import Path
import msgspec
from drivetrain.core.sources.web import RestSource
from drivetrain.ingest.ingest import ingest
from drivetrain.store.catalog import Catalog

with Catalog(Path(sys.argv[1])) as catalog:
    ingest(RestSource.model_validate(msgspec.json.decode(sys.argv[2])), "rows", catalog)
"""


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(service, project):
    """SIGKILL while page after page comes, at random moments; then one run to the end."""
    chance = random.Random(4)
    spec = rest_source(service, "since", incremental=BY_AT, paging={"kind": "offset"})
    load = [sys.executable, "-c", LOAD, str(project.home), spec.model_dump_json()]
    for step in range(2):
        service.rows += stamped(*((100 * step + n, f"2026-01-0{step + 1}T10:00:{n // 2:02}Z") for n in range(80)))
        with subprocess.Popen(load) as process:
            service.until(len(service.asked) + chance.randrange(1, 42))
            process.kill()
    subprocess.run(load, check=True)
    assert project.column("id", "rows") == [row["id"] for row in service.rows]
