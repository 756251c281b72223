"""``deliver`` and ``outlets`` by the command line: what a person and a machine see, and how it ends."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from drivetrain.core.events import StageFailed, StageFinished, StageProgressed, StageStarted
from drivetrain.core.roles import Role
from drivetrain.testing.outlets import predict

OUTLETS = """\
outlets:
  warehouse:
    kind: sql
    url: sqlite:///there.db
    table: decisions
    create: true
    history: true
    deadline_seconds: 0.1
"""
SECONDS = 40


@pytest.fixture
def run(project, commands):
    project.file.write_text(project.file.read_text() + OUTLETS)

    def run(*words, code=0):
        return commands(*words, cwd=project.home, code=code)

    return run


def said(done):
    return json.loads(done.stdout)


def rows(project):
    with closing(sqlite3.connect(project.home / "there.db")) as connection:
        return connection.execute("SELECT count(*) FROM decisions").fetchone()[0]


def some(project, first, count):
    predict(project.catalog, range(first, first + count), service="small-risk")


def test_deliver_says_what_was_taken(run, project):
    some(project, 0, 3)
    text = run("deliver").stdout
    assert "deliver   warehouse" in text
    assert "3 rows taken" in text
    some(project, 3, 2)
    (done,) = said(run("deliver", "warehouse", "--json"))["outlets"]
    assert {**done, "seconds": 0} == {
        "outlet": "warehouse", "predictions": 2, "taken": 2, "dead": 0, "left": 0, "seconds": 0,
    }  # fmt: skip
    assert rows(project) == 5


def test_list_before_and_after(run, project):
    (before,) = said(run("outlets", "list", "--json"))
    unknown = {"taken": None, "dead": None, "waiting": None, "at": None}
    assert before == {"name": "warehouse", "kind": "sql", **unknown}
    assert "never" in run("outlets", "list").stdout
    some(project, 0, 3)
    run("deliver")
    (after,) = said(run("outlets", "list", "--json"))
    assert (after["taken"], after["dead"], after["waiting"]) == (3, 0, 0)
    assert after["at"].startswith("20")


def test_test_shows_the_newest_prediction(run, project):
    assert "there is no prediction yet" in run("outlets", "test", "warehouse").stdout
    some(project, 0, 3)
    found = said(run("outlets", "test", "warehouse", "--json"))
    assert {one["name"]: one["value"] for one in found["columns"]}["loan_id"] == "w2"
    text = run("outlets", "test", "warehouse").stdout
    assert "answers in" in text
    assert "p000002" in text


def test_dead_letters_are_shown_and_sent_again(run, project):
    some(project, 0, 3)
    with closing(sqlite3.connect(project.home / "there.db")) as connection:
        connection.execute("CREATE TABLE decisions (prediction_id PRIMARY KEY, loan_id CHECK (loan_id <> 'w1'))")
    columns = "    columns: {prediction_id: prediction_id, loan_id: loan_id}\n"
    project.file.write_text(project.file.read_text() + columns)
    assert "drivetrain outlets dead warehouse" in run("deliver").stdout
    (letter,) = said(run("outlets", "dead", "warehouse", "--json"))
    assert (letter["prediction_id"], letter["attempts"]) == ("p000001", 1)
    text = run("outlets", "dead", "warehouse").stdout
    assert "CHECK constraint failed" in text
    assert "drivetrain outlets retry warehouse" in text
    assert said(run("outlets", "retry", "warehouse", "--json"))["dead"] == 1
    project.file.write_text(project.file.read_text().replace("loan_id: loan_id", "loan_id: upper(loan_id)"))
    assert "1 rows taken" in run("outlets", "retry", "warehouse").stdout
    assert run("outlets", "dead", "warehouse").stdout == "no dead letters\n"


def test_an_unknown_outlet_names_the_known_ones_and_no_outlets_say_how(run, project):
    for words in (("deliver",), ("outlets", "test"), ("outlets", "dead"), ("outlets", "retry")):
        error = said(run(*words, "warehous", "--json", code=4))["error"]
        assert (error["code"], error["hint"]) == ("outlet_unknown", "outlets: warehouse")
    project.file.write_text(project.file.read_text().replace(OUTLETS, ""))
    assert "docs/outlets" in said(run("deliver", "--json", code=4))["error"]["hint"]


def test_only_the_ai_engineer_delivers_and_an_auditor_may_look(run, project):
    project.add_actor("otto", Role.AUDITOR)
    for words in (
        ("deliver",),
        ("deliver", "--follow"),
        ("outlets", "test", "warehouse"),
        ("outlets", "retry", "warehouse"),
    ):
        for actor in ("mia", "otto"):
            assert said(run(*words, "--as", actor, "--json", code=6))["error"]["code"] == "role_may_not"
    assert said(run("outlets", "dead", "warehouse", "--as", "otto", "--json")) == []


def test_an_outlet_that_is_away_holds_no_other_up_and_the_subscribers_hear_of_both(run, project):
    away = OUTLETS.replace("outlets:\n", "").replace("warehouse", "away").replace("create: true", "create: false")
    text = project.file.read_text()
    project.file.write_text(text.replace("outlets:\n", "outlets:\n" + away.replace("there.db", "nowhere.db")))
    some(project, 0, 3)
    error = said(run("deliver", "--json", code=4))["error"]
    assert (error["code"], rows(project)) == ("sql_database_unknown", 3)
    events = []
    some(project, 3, 1)
    from drivetrain.engine.project import Project

    with pytest.raises(Exception, match="sql_database_unknown"):
        Project(project.file, project.settings).deliver(subscribers=[events.append])
    told = [(type(event), event.name) for event in events]
    assert told == [
        (StageStarted, "away"), (StageFailed, "away"),
        (StageStarted, "warehouse"), (StageProgressed, "warehouse"), (StageFinished, "warehouse"),
    ]  # fmt: skip


@contextmanager
def followed(home, *options):
    command = [sys.executable, "-m", "drivetrain", "deliver", "--follow", "--every", "0.1", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    both = subprocess.STDOUT
    with subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=both, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_follow_delivers_what_comes_goes_on_after_a_passing_error_and_ends_well(run, project):
    some(project, 0, 3)
    with followed(project.home) as process:
        assert process.stdout.readline() == "following warehouse; Ctrl+C ends it after the parcel under way\n"
        assert process.stdout.readline().startswith("✓ warehouse: 3 rows, ")
        with closing(sqlite3.connect(project.home / "there.db")) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            some(project, 3, 2)
            assert process.stdout.readline() == "! warehouse: database is locked; again in 1 s\n"
        assert process.stdout.readline().startswith("✓ warehouse: 2 rows, ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stdout.read() == "", "rounds that bring nothing are not told"
    assert rows(project) == 5


def test_a_machine_hears_of_every_round_on_a_line(run, project):
    some(project, 0, 3)
    with followed(project.home, "--json") as process:
        first, second = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert (first["taken"], first["error"], second["taken"]) == (3, None, 0)
