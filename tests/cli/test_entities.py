"""``entities`` by the command line, on recorded predictions."""

import json

import pytest

from drivetrain.testing.outlets import predict

PLAIN, WITH_PAGES = "service: {port: 0}", 'service: {port: 0, entities: {until: "/"}}'


@pytest.fixture
def run(project, commands):
    predict(project.catalog, range(5), {0: "pump/0", 1: "fan/0", 2: "pump/1"}, service="small-risk")
    return lambda *words, code=0: commands(*words, cwd=project.home, code=code)


@pytest.fixture
def asked(project):
    project.file.write_text(project.file.read_text().replace(PLAIN, WITH_PAGES))


def test_entities_are_listed_and_one_is_shown(asked, run):
    told = json.loads(run("entities", "list", "--json").stdout)
    assert {row["entity"]: row["predictions"] for row in told["rows"]} == {"pump": 2, "fan": 1, "w3": 1, "w4": 1}
    text = run("entities", "list", "--contains", "pump", "--limit", "1").stdout
    assert "pump" in text
    assert "fan" not in text
    shown = json.loads(run("entities", "show", "pump", "--json").stdout)
    assert (shown["entity"], shown["total"], [row["score"] for row in shown["rows"]]) == ("pump", 2, [0.25, 0.25])
    assert "2 predictions" in run("entities", "show", "pump", "--limit", "1").stdout


def test_who_is_not_there_and_pages_that_nobody_asked_for_say_so(project, run):
    assert "set `service.entities` in the project file" in run("entities", "list", code=4).stderr
    project.file.write_text(project.file.read_text().replace(PLAIN, WITH_PAGES))
    assert "nothing is recorded of nobody" in run("entities", "show", "nobody", code=4).stderr
