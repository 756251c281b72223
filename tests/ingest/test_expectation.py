"""Volume and pace by history: loads of real files by the command line, told, refused, or let be."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import with_identities, write_loans, write_small_project

from drivetrain.core.artifacts import Dataset
from drivetrain.core.contract import Pace
from drivetrain.core.events import AlarmRaised
from drivetrain.core.loads import Loaded
from drivetrain.ingest.expectation import due_at, overdue, past_loads
from drivetrain.ops.rhythm import Moment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def _loaded_once(tmp_path_factory):
    """Nine loads of about a hundred rows."""
    folder = write_small_project(tmp_path_factory.mktemp("nine") / "small-risk")
    project = with_identities(folder)
    write_loans(folder / "data" / "january.csv", range(100))
    project.run("ingest")
    for number in range(1, 9):
        write_loans(folder / "data" / f"more-{number}.csv", range(1000 * number, 1000 * number + 100 + number))
        project.run("ingest")
    project.catalog.close()
    return folder


@pytest.fixture
def loaded(_loaded_once, tmp_path):
    import shutil

    from drivetrain.engine.project import Project

    shutil.copytree(_loaded_once, tmp_path / "small-risk")
    project = Project(tmp_path / "small-risk")
    yield project
    project.catalog.close()


def small(project, rows=4):
    write_loans(project.home / "data" / "small.csv", range(50_000, 50_000 + rows))


def ask(project, rules):
    text = project.file.read_text()
    project.file.write_text(text.replace("max_bad_share: 0.05\n", f"max_bad_share: 0.05\n      {rules}\n"))


def test_every_load_is_remembered_once(loaded):
    assert [one.rows for one in past_loads(loaded.catalog, "loans")] == [100, *range(101, 109)]
    loaded.run("ingest", force=True, replay=True)
    assert len(past_loads(loaded.catalog, "loans")) == 9


def test_a_load_out_of_the_band_is_told_and_kept(loaded, commands):
    small(loaded)
    events = []
    result = loaded.run("ingest", subscribers=[events.append])
    (raised,) = (event for event in events if isinstance(event, AlarmRaised))
    assert (raised.stage, raised.name, raised.alarm.kind) == ("ingest", "loans", "volume")
    assert raised.alarm.text == "the load brings 4 rows; the loads before let expect 52 to 214"
    assert result.alarms == (raised,)
    assert loaded.catalog.latest(Dataset, "loans").load.alarms == (raised.alarm,)
    assert loaded.run("ingest").alarms == ()  # told once
    listed = commands("sources", "list", cwd=loaded.home).stdout
    assert "the load brings 4 rows" in listed
    (state,) = json.loads(commands("sources", "check", "--json", cwd=loaded.home, code=14).stdout)
    assert [alarm["kind"] for alarm in state["alarms"]] == ["volume"]


def test_a_usual_load_ends_the_alarm(loaded, commands):
    small(loaded)
    assert "the load brings 4 rows" in commands("ingest", cwd=loaded.home).stdout
    write_loans(loaded.home / "data" / "usual.csv", range(60_000, 60_100))
    shown = json.loads(commands("ingest", "--json", cwd=loaded.home).stdout)
    assert shown["alarms"] == []
    assert "as expected" in commands("sources", "check", cwd=loaded.home).stdout


def test_the_contract_may_refuse_it(loaded, commands):
    ask(loaded, "rows: {history: refuse}")
    small(loaded)
    error = json.loads(commands("ingest", "--json", cwd=loaded.home, code=5).stdout)["error"]
    assert (error["code"], error["where"]) == ("volume_unusual", "source loans")
    assert "contracts accept loans" in error["hint"]
    commands("contracts", "accept", "loans", cwd=loaded.home)
    small(loaded, rows=5)  # not what was agreed to
    commands("ingest", cwd=loaded.home, code=5)
    small(loaded)
    assert loaded.catalog.latest(Dataset, "loans").version == 8
    commands("ingest", cwd=loaded.home)
    dataset = loaded.catalog.latest(Dataset, "loans")
    assert (dataset.version, len(dataset.load.reviews), dataset.load.alarms) == (9, 1, ())


def test_the_contract_may_let_history_be(loaded, commands):
    ask(loaded, "rows: {history: ignore}")
    small(loaded)
    assert json.loads(commands("ingest", "--json", cwd=loaded.home).stdout)["alarms"] == []


def test_a_follower_tells_each_alarm_once(loaded):
    import threading

    small(loaded)
    stopped, loads = threading.Event(), []

    def tell(load):
        loads.append(load)
        if len(loads) == 3:
            stopped.set()

    loaded.follow("loans", every=0, stopped=stopped, tell=tell)
    assert [[alarm.kind for alarm in load.alarms] for load in loads] == [["volume"], [], []]


def test_a_source_that_stands_still_by_history(loaded, commands):
    began = datetime.now(UTC) - timedelta(days=12)
    for number, dataset in enumerate(loaded.catalog.newest(Dataset, "loans", 64)):
        at = (began + timedelta(days=number)).isoformat(timespec="microseconds")
        loaded.catalog.put(replace(dataset, load=Loaded(at, dataset.load.rows)))
    (state,) = json.loads(commands("sources", "check", "--json", cwd=loaded.home, code=14).stdout)
    (alarm,) = state["alarms"]
    assert alarm["kind"] == "pace"
    assert alarm["text"].startswith("no new rows for 4.0 days; by what came before some are due within 36.0 hours")
    assert state["due"] < datetime.now(UTC).isoformat()
    ask(loaded, "pace: {history: ignore}")
    assert "as expected" in commands("sources", "check", cwd=loaded.home).stdout


def test_the_pace_of_the_contract_takes_the_place_of_history():
    past = [Moment(NOW - timedelta(hours=3), 1)]
    assert due_at(Pace(), past) is None
    assert due_at(Pace(max_gap_hours=2), past) == NOW - timedelta(hours=1)
    assert overdue(Pace(max_gap_hours=4), past, NOW) == ()
    (alarm,) = overdue(Pace(max_gap_hours=2), past, NOW)
    assert alarm.text == "no new rows for 3.0 hours; by the contract some are due within 2.0 hours"
    assert overdue(Pace(max_gap_hours=2), [], NOW) == ()
