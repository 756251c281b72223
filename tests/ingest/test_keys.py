"""Rows that change: a source that puts and drops rows by their key, or gives itself as a whole each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.ingest import ingest_from
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.catalog import Catalog
from drivetrain.store.files.batches import Change
from drivetrain.store.tables import Table

ADD, PUT, DROP, WHOLE = Change.ADD, Change.PUT, Change.DROP, Change.WHOLE
Step = tuple[Change, list[dict[str, object]]]


@dataclass
class Log:
    """A Reader of loads that a test writes; each load is one portion."""

    loads: list[list[Step]] = field(default_factory=list)
    same: bool = False

    def discover(self) -> tuple[Portion, ...]:
        return (Portion("log", 0),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        done = json.loads(cursor) if cursor else 0
        for number, load in enumerate(self.loads[done:], done + 1):
            passed = 0
            for change, rows in load:
                table = pa.Table.from_pylist(rows)
                numbers = pa.array(range(passed + 1, passed + 1 + len(rows)), pa.int64())
                passed += len(rows)
                yield Batch(f"load {number}", table, numbers, change=change)
            if not self.same:
                yield Position(json.dumps(number), f"content {number}")

    def commit(self, cursor: str) -> None:
        """Nothing to forget."""


@pytest.fixture
def people(project):
    """``people(steps, **contract)`` makes one more load; rows have the key ``id``."""
    log = Log()

    def load(*steps: Step, **contract: object):
        log.loads.append(list(steps))
        spec = FilesSource.model_validate(
            {"kind": "files", "path": "-", "contract": {"key": ["id"], "max_bad_share": 1, **contract}}
        )
        return ingest_from(log, spec, "people", project.catalog)

    load.log = log
    return load


def row(number: int, age: int | None, **more: object) -> dict[str, object]:
    return {"id": number, "age": age, **more}


def stands(project) -> dict[object, object]:
    rows = project.rows()
    found = {one["id"]: one["age"] for one in rows}
    assert len(found) == len(rows)
    return found


def test_rows_are_put_and_dropped_by_their_key(project, people):
    people((PUT, [row(1, 10), row(2, 20), row(3, 30)]))
    dataset = people((PUT, [row(2, 21), row(4, 40)]), (DROP, [{"id": 1}, {"id": 99}]))
    assert stands(project) == {2: 21, 3: 30, 4: 40}
    assert dataset.rows == 3


def test_of_several_changes_in_a_load_the_last_counts(project, people):
    people((PUT, [row(1, 10), row(1, 11)]), (DROP, [{"id": 1}]), (PUT, [row(2, 20), row(1, 12), row(2, 22)]))
    assert stands(project) == {1: 12, 2: 22}
    dataset = people((PUT, [row(1, 13)]), (DROP, [{"id": 1}]))
    assert (stands(project), dataset.rows) == ({2: 22}, 1)


def test_only_files_with_changed_rows_are_written_again(project, people):
    people((PUT, [row(number, 1) for number in range(10)]))
    people((PUT, [row(number, 1) for number in range(10, 20)]))
    table = Table(project.catalog.table_path("datasets", "people"))
    first, second = table.files() if len(table.files()) == 2 else ("", "")
    people((PUT, [row(15, 2)]))
    kept = set(table.files())
    assert len({first, second} & kept) == 1
    assert stands(project)[15] == 2
    assert len(stands(project)) == 20


def test_a_bad_change_is_quarantined_and_the_row_stays_as_it_was(project, people):
    rules = {"columns": {"age": {"type": "integer", "min": 0}}}
    people((PUT, [row(1, 10)]), **rules)
    dataset = people((PUT, [row(1, -1), row(2, 20)]), (DROP, [{"id": None}]), **rules)
    assert stands(project) == {1: 10, 2: 20}
    assert dataset.quarantined == 2
    assert project.reasons() == [["age: '-1' is below 0"], ["id: is missing"]]


def test_the_whole_of_a_source_takes_the_place_of_all_rows_and_of_their_quarantine(project, people):
    rules = {"columns": {"age": {"type": "integer", "min": 0}}}
    people((WHOLE, [row(1, 10), row(2, 20), row(3, -3)]), **rules)
    assert (stands(project), len(project.quarantined())) == ({1: 10, 2: 20}, 1)
    dataset = people((WHOLE, [row(2, 21), row(3, -3)]), **rules)
    assert (stands(project), dataset.rows, dataset.quarantined) == ({2: 21}, 1, 1)
    people.log.same = True
    assert people((WHOLE, [row(2, 21), row(3, -3)]), **rules) == dataset


def test_the_whole_as_it_was_under_another_contract(project, people):
    people((WHOLE, [row(1, 10), row(2, 20)]))
    people.log.same = True
    people((WHOLE, [row(1, 10), row(2, 20)]), columns={"age": {"type": "integer", "max": 15}})
    assert stands(project) == {1: 10}
    assert project.reasons() == [["age: '20' is above 15"]]


def test_changes_beside_a_changed_contract(project, people):
    people((PUT, [row(1, 10), row(2, 20), row(3, 30)]))
    people((PUT, [row(3, 3)]), (DROP, [{"id": 1}]), columns={"age": {"type": "integer", "max": 15}})
    assert stands(project) == {3: 3}
    assert project.reasons() == [["age: '20' is above 15"]]


def test_a_name_that_must_be_unique_may_pass_from_a_row_that_changes(project, people):
    rules = {"columns": {"mail": {"type": "text", "unique": True}}}
    people((PUT, [row(1, 1, mail="a"), row(2, 2, mail="b"), row(3, 3, mail="c")]), **rules)
    people((PUT, [row(1, 1, mail="b"), row(2, 2, mail="a"), row(4, 4, mail="c")]), **rules)
    assert stands(project) == {1: 1, 2: 2, 3: 3}
    assert project.reasons() == [["mail: 'c' stands in an earlier row"]]


def test_a_changing_source_needs_a_key(people):
    with pytest.raises(InvalidInput) as caught:
        people((PUT, [row(1, 10)]), key=[])
    assert caught.value.code == "contract_key_missing"
    assert "key" in caught.value.hint


def test_rows_that_repeat_a_key_are_told_apart_across_files_and_loads(project, people):
    people((ADD, [row(1, 10), row(2, 20), row(1, 11)]))
    people((ADD, [row(2, 21), row(3, 30)]), (ADD, [row(3, 31)]))
    assert stands(project) == {1: 10, 2: 20, 3: 30}
    said = [(one["portion"], one["row"], one["raw"]) for one in project.quarantined()]
    assert said == [
        ("load 1", 3, '{"id":"1","age":"11"}'),
        ("load 2", 1, '{"id":"2","age":"21"}'),
        ("load 2", 3, '{"id":"3","age":"31"}'),
    ]


def test_too_many_repeats_fail_the_load(project, people):
    with pytest.raises(Refused, match=r"key \(id\): '1' stands in an earlier row"):
        people((ADD, [row(1, 10), row(1, 11)]), max_bad_share=0.1)


changes = st.lists(
    st.tuples(st.sampled_from([PUT, PUT, DROP]), st.integers(0, 6), st.integers(0, 99)), min_size=1, max_size=12
)


@given(st.lists(changes, min_size=1, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changes_give_what_a_dictionary_gives(tmp_path_factory, loads):
    wanted: dict[object, object] = {}
    log = Log()
    spec = FilesSource.model_validate({"kind": "files", "path": "-", "contract": {"key": ["id"]}})
    with Catalog(tmp_path_factory.mktemp("any")) as catalog:
        for load in loads:
            steps: list[Step] = []
            for change, key, value in load:
                steps.append((change, [row(key, value) if change is PUT else {"id": key}]))
                wanted = {**wanted, key: value} if change is PUT else {k: v for k, v in wanted.items() if k != key}
            log.loads.append(steps)
            if not any(change is PUT for load in log.loads for change, _ in load):
                with pytest.raises(InvalidInput, match="there is not one row"):  # a table begins with a row
                    ingest_from(log, spec, "people", catalog)
                continue
            dataset = ingest_from(log, spec, "people", catalog)
            rows = Table(catalog.table_path("datasets", "people")).read().to_pylist()
            assert {one["id"]: one["age"] for one in rows} == wanted
            assert len(rows) == len(wanted) == dataset.rows
