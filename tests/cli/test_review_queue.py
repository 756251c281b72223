"""``drivetrain queue``: what waits, one case, and answers; and how an answer comes to be learned from."""

import json
import os

import httpx
import pytest

from drivetrain.core.artifacts import Features
from drivetrain.core.errors import NotFound
from drivetrain.core.roles import Role
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.review_queue import waiting
from drivetrain.engine.serving import Server
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import CLASSES, ROW, classes_model, logistic_model
from drivetrain.testing.releases import ReleaseMaker

SERVED = """\
project: letters
sources:
  none: {kind: files, path: data/*.csv}
features: {spine: features/cases.sql, entity: id, label: product, task: classes}
service: {port: 0}
"""
LEARNS = """\
project: letters
sources:
  asked: {kind: delta, path: .drivetrain/lake/predictions/letters, contract: {key: [prediction_id]}}
  answers: {kind: delta, path: .drivetrain/lake/labels/letters}
features:
  spine: features/cases.sql
  entity: id
  label: product
  task: classes
  tables: {given: {sql: features/given.sql}}
  split: {by: chance, test: 0.3}
service: {port: 0}
"""
CASES = "SELECT prediction_id AS id, label AS product FROM answers\n"
GIVEN = "SELECT prediction_id AS id, CAST(json_extract_string(inputs, '$.age') AS INTEGER) AS age FROM asked\n"


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """A project whose service is never sure, a server of it, and the ids of twelve predictions, oldest first."""
    (tmp_path / "features").mkdir()
    (tmp_path / "drivetrain.yaml").write_text(SERVED)
    (tmp_path / "features" / "cases.sql").write_text(CASES)
    (tmp_path / "features" / "given.sql").write_text(GIVEN)
    maker = ReleaseMaker(tmp_path, "letters")
    monkeypatch.setenv("DRIVETRAIN_KEYS", str(tmp_path / "keys"))
    project = Project(tmp_path, Settings.read(os.environ))
    project.as_actor("ada").add_actor("rita", Role.AUDITOR)
    maker.deploy(maker.release(classes_model(sure=1.1)))
    ready = project.catalog.state / "run" / "letters.json"
    headers = {"X-API-Key": project.as_actor("ada").add_key("caller")}
    rows = [{**ROW, "age": 30 + number % 5, "case": f"letter {number}"} for number in range(12)]
    with Server(project.server_command(port=0), ready) as server, httpx.Client(base_url=server.url) as client:
        said = client.post("/v1/predict", json={"rows": rows}, headers=headers).raise_for_status().json()
        yield project, [prediction["id"] for prediction in said["predictions"]]
    project.catalog.close()


def test_from_the_queue_to_the_next_features(letters, commands):
    project, ids = letters

    def queue(*words, code=0):
        return commands("queue", *words, cwd=project.home, code=code)

    told = json.loads(queue("--json").stdout)
    assert told["total"] == 12
    assert {case["id"] for case in told["waiting"]} == set(ids)
    shown = queue("show", ids[3]).stdout
    assert "33" in shown
    assert f"queue answer {ids[3]}" in shown
    for number, prediction in enumerate(ids[:11]):
        answered = queue("answer", prediction, CLASSES[number % 2], "--as", ("mia", "ada")[number % 2]).stdout
        assert "recorded, by" in answered
    assert "recorded before" in queue("answer", ids[0], CLASSES[0], "--as", "ada").stdout
    refused = queue("answer", ids[0], CLASSES[1], "--as", "ada", code=None)
    assert refused.exit_code != 0
    assert "mia has answered it" in refused.stderr
    assert "mia has answered" in queue("show", ids[0]).stdout
    assert "1 waiting" in queue().stdout

    (project.home / "drivetrain.yaml").write_text(LEARNS)
    commands("run", "--until", "prepare", "--as", "mia", cwd=project.home)
    features = project.catalog.latest(Features, "letters")
    rows = Table(project.catalog.table_path("features", "letters")).read(features.version).to_pylist()
    assert {row["id"]: (row["product"], row["age"]) for row in rows} == {
        prediction: (CLASSES[number % 2], 30 + number % 5) for number, prediction in enumerate(ids[:11])
    }


def test_who_may_not_what_is_not_there_and_what_is_new_to_the_model(letters, commands):
    project, ids = letters
    for words, code in (
        (("answer", ids[0], CLASSES[0], "--as", "rita"), "role_may_not"),
        (("answer", "none", CLASSES[0], "--as", "mia"), "case_unknown"),
        (("show", "none"), "case_unknown"),
    ):
        done = commands("queue", *words, "--json", cwd=project.home, code=None)
        assert done.exit_code != 0
        assert json.loads(done.stdout)["error"]["code"] == code
    done = commands("queue", "answer", ids[0], "a fourth", "--as", "mia", cwd=project.home)
    assert "the model knows no such class" in done.stdout


def test_a_release_that_decides_everything_leaves_no_queue(letters):
    project, _ = letters
    maker = ReleaseMaker(project.home, "letters")
    maker.deploy(maker.release(logistic_model()))
    with pytest.raises(NotFound, match="leaves no case to a person"):
        waiting(project)
