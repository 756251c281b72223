"""Looking at a project that has been run."""

import json

import pytest
from click.testing import CliRunner

from drivetrain.cli.main import cli
from drivetrain.core.task import Task
from drivetrain.testing.parcels import parcel_world


@pytest.fixture
def call(released):
    def call(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--project", str(released.file)], env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_ls_lists_what_there_is(call):
    entries = json.loads(call("ls", "--json"))
    assert [entry["ref"].split("/")[0] for entry in entries] == ["dataset", "features", "model", "report", "release"]
    assert "dataset/loans@0" in call("ls", "dataset")


def test_show_tells_facts_and_parents(call):
    entries = json.loads(call("ls", "--json"))
    for entry in entries:
        assert json.loads(call("show", entry["ref"], "--json"))["ref"] == entry["ref"]
        assert entry["ref"] in call("show", entry["ref"])
    model = next(entry["ref"] for entry in entries if entry["ref"].startswith("model/"))
    assert "features/small-risk@0" in call("show", model)


def test_a_column_in_which_nothing_stands_is_left_out(call, released):
    parcel_world(released.catalog, Task.NUMBER)
    numbers, yes_no = call("show", "features/parcels@0"), call("show", "features/small-risk@0")
    assert "positives" not in numbers
    assert "800" in numbers
    assert "positives" in yes_no


def test_trace_of_a_release_reaches_the_data(call):
    ref = json.loads(call("ls", "release", "--json"))[0]["ref"]
    text = call("trace", ref)
    assert "dataset/loans@0" in text
    assert "signed by" in text


def test_plan_says_that_nothing_is_stale(call):
    assert "nothing is stale" in call("plan")


def test_schema_is_json(call):
    assert json.loads(call("schema"))["title"] == "ProjectSpec"


def test_doctor_is_json(call):
    assert {"what", "state", "detail", "cure"} == set(json.loads(call("doctor", "--json"))[0])


def test_an_actor_who_is_removed_is_told_with_what_they_signed(call):
    call("actors", "add", "max", "--role", "ml-engineer")
    said = json.loads(call("actors", "remove", "max", "--json"))
    assert said == {"removed": "max", "releases": []}
    assert "max" not in call("actors", "list")
    call("actors", "add", "moe", "--role", "ml-engineer")
    told = call("actors", "remove", "mia")
    assert "mia is out of actors.yaml" in told
    assert "release/small-risk@" in told
    assert "drivetrain release --force" in told


def test_actors_and_keys_are_listed(call):
    assert "mia" in call("actors", "list")
    secret = json.loads(call("keys", "add", "shop", "--json"))["key"]
    assert secret.startswith("dt_")
    assert [use["name"] for use in json.loads(call("keys", "list", "--json"))] == ["shop"]
    call("keys", "revoke", "shop")


def test_keys_have_limits_that_change(call):
    call("keys", "add", "partner", "--rate", "2.5", "--rows-per-day", "1000000")
    (use,) = json.loads(call("keys", "list", "--json"))
    assert (use["requests_per_second"], use["rows_per_day"], use["rows_today"]) == (2.5, 1_000_000, 0)
    assert call("keys", "list").split()[-5:] == ["partner", "everything", "2.5", "1,000,000", "0"]
    call("keys", "limit", "partner", "--rate", "9")
    assert call("keys", "list").split()[-5:] == ["partner", "everything", "9", "any", "0"]
    call("keys", "revoke", "partner")
