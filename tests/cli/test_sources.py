"""``sources`` by the command line: what a person and a machine see, and how it ends."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from drivetrain.cli.main import cli


@pytest.fixture
def run(project, commands):
    def run(*words, code=0):
        return commands("sources", *words, cwd=project.home, code=code)

    return run


def said(done):
    return json.loads(done.stdout)


def test_propose_a_contract_to_be_read_and_copied(run, project):
    text = run("propose", "loans", "-n", "500").stdout
    columns = yaml.safe_load(text)["contract"]["columns"]
    assert "fits the first 500 rows" in text
    assert columns["id"] == {"type": "integer", "nullable": False}
    assert columns["home"]["one_of"] == ["family", "own", "rent"]
    found = said(run("propose", "loans", "--json"))
    assert {column["name"] for column in found["columns"]} == set(columns)


def test_list_before_and_after_a_load(run, project):
    (before,) = said(run("list", "--json"))
    assert before == {
        "name": "loans", "kind": "files", "where": "data/*.csv", "loaded_at": None, "rows": None, "quarantined": None,
        "freshness": "none", "due": None, "alarms": [],
    }  # fmt: skip
    assert "never" in run("list").stdout
    project.run("ingest")
    (after,) = said(run("list", "--json"))
    assert (after["rows"], after["quarantined"]) == (1497, 3)
    assert after["loaded_at"].startswith("20")


@pytest.mark.parametrize(("hours", "state"), [(1, "stale"), (10_000_000, "fresh")])
def test_list_tells_whether_the_newest_value_is_fresh(run, project, hours, state):
    file = project.home / "data" / "january.csv"
    rows = file.read_text().splitlines()
    file.write_text("\n".join([f"{rows[0]},day", *(f"{row},2026-01-01" for row in rows[1:])]) + "\n")
    project.run("ingest")
    rule = "      max_bad_share: 0.05\n"
    asked = f"{rule}      freshness: {{column: day, max_age_hours: {hours}}}\n"
    project.file.write_text(project.file.read_text().replace(rule, asked))
    assert said(run("list", "--json"))[0]["freshness"] == state


def test_test_says_what_is_there(run):
    found = said(run("test", "loans", "--json"))
    assert (found["kind"], found["portions"], found["first"][0]["name"]) == ("files", 1, "data/january.csv")
    assert "answers in" in run("test", "loans").stdout


def test_test_of_a_source_that_is_not_there_says_what_to_do(run, project):
    (project.home / "data" / "january.csv").unlink()
    error = said(run("test", "loans", "--json", code=4))["error"]
    assert error["code"]
    assert error["hint"]


def test_an_unknown_source_names_the_known_ones(run):
    for verb in ("test", "sample", "profile"):
        error = said(run(verb, "loens", "--json", code=4))["error"]
        assert (error["code"], error["hint"]) == ("source_unknown", "sources: loans")


def test_sample_shows_rows_types_and_what_would_be_refused_and_loads_nothing(run, project):
    sample = said(run("sample", "loans", "-n", "1000", "--json"))
    assert len(sample["rows"]) == 1000
    assert {column["name"]: column["type"] for column in sample["columns"]}["income"] == "number"
    project.file.write_text(project.file.read_text().replace("min: 18", "min: 70"))
    text = run("sample", "loans", "-n", "20").stdout
    assert "is below 70" in text
    assert "nothing was loaded" in text
    assert said(run("list", "--json"))[0]["rows"] is None


def test_sample_with_brackets_in_a_value_is_printed_as_it_stands(run, project):
    (project.home / "data" / "january.csv").write_text("id,age,income,home,late\n1,[bold],3,rent,0\n")
    assert "[bold]" in run("sample", "loans").stdout


def test_profile_writes_a_page(run, project):
    error = said(run("profile", "loans", "--json", code=4))["error"]
    assert error["hint"] == "`drivetrain ingest loans`"
    project.run("ingest")
    found = said(run("profile", "loans", "--json"))
    assert (found["dataset"], found["keys"]) == ("dataset/loans@0", ["id"])
    assert (project.home / ".drivetrain" / "profiles" / "loans" / "0.html").samefile(found["page"])
    assert "likely keys: id" in run("profile", "loans").stdout


def test_an_auditor_may_profile_but_not_read_the_source(run, project):
    from drivetrain.core.roles import Role

    project.run("ingest")
    project.add_actor("otto", Role.AUDITOR)
    assert said(run("profile", "loans", "--as", "otto", "--json"))["rows"] == 1497
    for verb in ("test", "sample"):
        assert said(run(verb, "loans", "--as", "otto", "--json", code=6))["error"]["code"] == "role_may_not"


def ask(project, rules):
    """Add a line to the contract of the loans."""
    text = project.file.read_text()
    project.file.write_text(text.replace("      max_bad_share: 0.05\n", f"      max_bad_share: 0.05\n      {rules}\n"))


def test_check_ends_with_14_when_a_source_stands_still(run, project, commands):
    ask(project, "pace: {max_gap_hours: 24}")
    commands("ingest", cwd=project.home)
    (fine,) = said(run("check", "--json"))
    assert (fine["source"], fine["alarms"]) == ("loans", [])
    assert fine["due"] == said(run("list", "--json"))[0]["due"] > "2026"
    assert "as expected" in run("check", "loans").stdout
    project.file.write_text(project.file.read_text().replace("hours: 24", "hours: 0.0000001"))
    (late,) = said(run("check", "--json", code=14))
    assert late["alarms"][0]["kind"] == "pace"
    assert "no new rows for" in run("check", code=14).stdout
    assert "no new rows for" in run("list").stdout
    assert "no new rows for" in commands("ingest", cwd=project.home).stdout
    assert said(run("check", "loens", "--json", code=4))["error"]["code"] == "source_unknown"


def test_check_tells_of_a_stale_value(run, project):
    project.run("ingest")
    ask(project, "freshness: {column: id, max_age_hours: 1}")
    assert [alarm["kind"] for alarm in said(run("check", "--json", code=14))[0]["alarms"]] == ["stale"]


ACTIVITY = {"name", "type", "typeProperties", "policy", "dependsOn", "linkedServiceName", "description"}
POLICY = {"timeout", "retry", "retryIntervalInSeconds", "secureInput", "secureOutput"}
PROPERTIES = {
    "WebActivity": {
        "method", "url", "headers", "body", "authentication", "httpRequestTimeout", "turnOffAsync",
        "disableCertValidation", "connectVia",
    },
    "Custom": {
        "command", "folderPath", "resourceLinkedService", "referenceObjects", "extendedProperties",
        "retentionTimeInDays", "autoUserSpecification",
    },
}  # fmt: skip
"""What the documentation of Azure Data Factory allows."""


@pytest.mark.parametrize("name", ["adf-predict", "adf-ingest"])
def test_a_template_is_a_pipeline_as_azure_documents_it(name):
    text = CliRunner().invoke(cli, ["sources", "template", name]).output
    found = json.loads(text)
    assert set(found) == {"name", "properties"}
    properties = found["properties"]
    assert set(properties) == {"description", "parameters", "activities"}
    names = [activity["name"] for activity in properties["activities"]]
    for activity in properties["activities"]:
        assert set(activity) <= ACTIVITY
        assert set(activity["policy"]) == POLICY
        assert set(activity["typeProperties"]) <= PROPERTIES[activity["type"]]
        assert [one["activity"] for one in activity.get("dependsOn", ())] == names[: names.index(activity["name"])]
    assert set(re.findall(r"pipeline\(\)\.parameters\.(\w+)", text)) == set(properties["parameters"])
    assert text.count('"@') == text.count('"Expression"') > 0
