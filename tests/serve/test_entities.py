"""Pages of entities over real HTTP: who is seen, what is told of one, alarms, sensors, labels, keys, and the page."""

import csv
import io
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from drivetrain.core.entity_view import EntityView, FlagRule
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import ROW

from .conftest import SERVICE, running, settings_of, until

VIEW = EntityView(until="/", hide=("born",), alarms={"inspections": FlagRule(2, 3)})
BAD, GOOD = ROW, ROW | {"age": 60, "income-per-month": 9000.0, "member": True}


def rows_of(machine, text):
    """Rows of a machine: ``.x`` are two, of which the second one is decided true."""
    return [
        (BAD if flag == "x" else GOOD) | {"case": f"{machine}/{at}", "age": 20 + at if flag == "x" else 60}
        for at, flag in enumerate(text)
    ]


@pytest.fixture(scope="module")
def plant(template, tmp_path_factory):
    """A server of three machines: a pump with an alarm, a fan that had one, a press that never did; one label."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("plant") / "project"))
    with running(settings_of(home, entities=VIEW, roll_seconds=0.05)) as server:
        said = [
            server.predict(*rows_of(name, text)).json()["predictions"]
            for name, text in (("pump", ".xx"), ("fan/7", "xx..."), ("press", "."))
        ]
        assert [one["decision"] for one in said[0]] == [False, True, True]
        server.predict(ROW)  # of nobody
        label = {"prediction_id": said[0][2]["id"], "label": True}
        assert server.client.post("/v1/labels", json={"labels": [label]}).json() == {"recorded": 1}
        until(lambda: server.client.get("/v1/entities").json().get("total") == 3)
        until(lambda: server.client.get("/v1/entities/pump").json()["rows"][-1].get("label"))
        yield server


def test_entities_are_listed_alarms_first_then_the_worst(plant):
    told = plant.client.get("/v1/entities").json()
    assert [(row["entity"], row["predictions"], row["alarms"]) for row in told["rows"]] == [
        ("pump", 3, ["inspections"]), ("fan", 5, []), ("press", 1, []),
    ]  # fmt: skip
    assert (told["rows"][0]["decision"], told["rows"][0]["release"][:8]) == (True, "release/")
    page = plant.client.get("/v1/entities?contains=P&limit=1&offset=1").json()
    assert (page["total"], [row["entity"] for row in page["rows"]]) == (2, ["press"])


def test_an_entity_is_its_history_its_alarms_its_sensors_and_why(plant):
    told = plant.client.get("/v1/entities/pump").json()
    assert (told["entity"], told["total"], told["target"]) == ("pump", 3, "default")
    assert [row["decision"] for row in told["rows"]] == [False, True, True]
    assert [row.get("label") for row in told["rows"]] == [None, None, True]
    (alarm,) = told["alarms"]
    assert (alarm["outlet"], alarm["raised"]) == ("inspections", True)
    assert [(one["alarm"], one["prediction_id"]) for one in alarm["changes"]] == [
        ("raised", told["rows"][2]["prediction_id"])
    ]
    assert told["sensors"]["age"] == [60, 21, 22]
    assert (told["inputs"]["city"], told["inputs"]["age"]) == ("Chur", 22)
    assert told["reasons"][0]["field"] in told["inputs"]
    assert told["decided"] == {"threshold": 0.5, "below": False}
    turns = plant.client.get("/v1/entities/fan").json()["alarms"][0]["changes"]
    assert [one["alarm"] for one in turns] == ["raised", "cleared"]
    assert len(plant.client.get("/v1/entities/fan?limit=2").json()["rows"]) == 2


def test_what_is_hidden_is_in_no_answer(plant):
    told = plant.client.get("/v1/entities/pump").json()
    assert "born" not in told["inputs"]
    assert all(reason["field"] != "born" for reason in told["reasons"])


def test_a_spreadsheet_gets_csv(plant):
    for path, column, first in (("/v1/entities", "entity", "pump"), ("/v1/entities/pump", "decision", "False")):
        answer = plant.client.get(path, headers={"Accept": "text/csv"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert next(csv.DictReader(io.StringIO(answer.text)))[column] == first


@pytest.mark.parametrize("path", ["/v1/entities", "/v1/entities/pump"])
def test_nobody_reads_without_a_key(plant, path):
    assert plant.anyone.get(path).status_code == 401
    assert plant.client.post(path, json={}).status_code == 405


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/entities/nobody", 404, "entity_unknown"),
        ("/v1/entities/", 404, "entity_unknown"),
        ("/v1/entities?page=2", 400, "query_invalid"),
        ("/v1/entities/pump?limit=many", 400, "query_invalid"),
    ],
)
def test_what_is_not_there_says_so(plant, path, status, code):
    answer = plant.client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_document_and_the_page_speak_of_them_only_where_they_are_asked_for(plant, server):
    paths = {"/v1/entities", "/v1/entities/{entity}", "/entities", "/entities/{entity}"}
    assert paths <= set(plant.anyone.get("/openapi.json").json()["paths"])
    for path in ("/entities", "/entities/pump", f"/services/{SERVICE}/entities/pump"):
        page = plant.anyone.get(path)
        assert (page.status_code, f"Entities of {SERVICE}" in page.text, "$" in page.text) == (200, True, False)
    assert not paths & set(server.anyone.get("/openapi.json").json()["paths"])
    assert server.client.get("/v1/entities").json()["error"]["code"] == "no_entities"
    assert server.anyone.get("/entities/pump").status_code == 404


def test_what_is_no_longer_in_the_lake_is_no_longer_shown(home, start):
    plant = start(entities=VIEW, roll_seconds=0.05)
    assert plant.client.get("/v1/entities").json()["error"]["code"] == "no_prediction"
    plant.predict(*rows_of("pump", "xx"), *rows_of("fan", "."))
    until(lambda: plant.client.get("/v1/entities").json().get("total") == 2)
    with Catalog(home) as catalog:
        table = Table(catalog.table_path("predictions", SERVICE))
        kept = table.read().filter(pc.field("entity") == "fan/0")
        table.overwrite(kept, table.state().commit)
    assert [row["entity"] for row in plant.client.get("/v1/entities").json()["rows"]] == ["fan"]
    assert plant.client.get("/v1/entities/pump").status_code == 404
