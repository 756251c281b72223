"""Quarantined rows that pass a corrected contract move into the dataset, exactly once."""

import pytest

from drivetrain.core.errors import NotFound, Refused
from drivetrain.ingest import destination
from drivetrain.store import quarantine
from drivetrain.store.tables import Table

TEXT = "id,age\n1,17\n2,30\n3,abc\n4,40,extra\n5,12\n"


def spec_of(source, low, **more):
    return source(
        "a.csv", columns={"age": {"type": "integer", "min": low}, "id": {"type": "integer", "unique": True}}, **more
    )


@pytest.fixture
def loaded(project, source):
    project.write("a.csv", TEXT)
    assert project.ingest(spec_of(source, 18)).quarantined == 4
    return project


def test_rows_that_pass_move_and_the_others_wait(loaded, source):
    first = loaded.ingest(spec_of(source, 18))
    second = loaded.replay(spec_of(source, 15))
    assert (second.version, second.rows, second.quarantined) == (1, 2, 3)
    assert loaded.column("id") == [1, 2]
    assert [(row["row"], row["load"], row["reasons"]) for row in loaded.quarantined()] == [
        (3, first.digest, ["age: 'abc' is not an integer"]),
        (4, first.digest, ["the row has 3 values for 2 columns"]),
        (5, first.digest, ["age: '12' is below 15"]),
    ]
    assert second.digest != first.digest


def test_replaying_again_moves_nothing(loaded, source):
    second = loaded.replay(spec_of(source, 15))
    assert loaded.replay(spec_of(source, 15)) == second
    assert loaded.column("id") == [1, 2]


def test_nothing_in_quarantine_is_nothing_to_do(project, source):
    project.write("a.csv", "id,age\n1,30\n")
    first = project.ingest(spec_of(source, 18))
    assert project.replay(spec_of(source, 18)) == first


def test_before_the_first_load(project, source):
    with pytest.raises(NotFound, match="nothing was loaded yet"):
        project.replay(spec_of(source, 18))


def test_a_duplicate_stays_where_it_is(project, source):
    project.write("a.csv", "id,age\n1,30\n1,40\n")
    spec = spec_of(source, 18)
    first = project.ingest(spec)
    assert project.replay(spec) == first
    assert project.column("age") == [30]


def test_two_rows_that_now_pass_with_one_key_give_one(project, source):
    project.write("a.csv", "id,age\n9,30\n1,10\n1,11\n")
    project.ingest(spec_of(source, 18))
    dataset = project.replay(spec_of(source, 5))
    assert (dataset.rows, dataset.quarantined) == (2, 1)
    assert project.reasons() == [["id: '1' stands in an earlier row"]]


def test_other_types_than_the_table_are_refused(loaded, source):
    spec = source("a.csv", columns={"age": {"type": "text"}, "id": {"type": "integer"}})
    with pytest.raises(Refused, match="~ age: integer -> text"):
        loaded.replay(spec)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["ingest", "replay"])
def test_an_end_between_quarantine_and_table_neither_loses_nor_doubles(project, source, monkeypatch, step):
    project.write("a.csv", TEXT)
    if step == "replay":
        project.ingest(spec_of(source, 18))

    def end(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(destination.Destination, "append", end)
        for _ in range(2):
            with pytest.raises(Killed):
                (project.ingest if step == "ingest" else project.replay)(
                    spec_of(source, 18 if step == "ingest" else 15)
                )
    if step == "ingest":  # meanwhile the source has changed: nothing of the lost load may stay
        project.write("a.csv", TEXT + "6,x\n")
        assert project.ingest(spec_of(source, 18)).quarantined == 5
    dataset = project.replay(spec_of(source, 15))
    assert project.column("id") == [1, 2]
    waiting = [row["row"] for row in project.quarantined()]
    assert waiting == ([3, 4, 5, 6] if step == "ingest" else [3, 4, 5])
    assert dataset.quarantined == len(waiting)


def test_only_the_pinned_version_of_the_quarantine_counts(loaded, source):
    table = Table(loaded.catalog.table_path("quarantine", "people"))
    stray = quarantine.Quarantine(table, quarantine.Pin(0, 4))
    stray.add(table.dataset(0).scanner().to_reader(), 4, "stray")
    assert len(loaded.quarantined()) == 8
    assert loaded.ingest(spec_of(source, 18)).quarantined == 4
    loaded.append("a.csv", "6,x\n")
    assert loaded.ingest(spec_of(source, 18)).quarantined == 5
    assert len(loaded.quarantined()) == 5
