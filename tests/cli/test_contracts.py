"""A changed source by the command line: refused, looked at, decided by a second person, loaded. With real files."""

import json

import pytest
from tests.conftest import write_loans


def said(done):
    return json.loads(done.stdout)


@pytest.fixture
def run(project, commands):
    def run(*words, code=0):
        return commands(*words, cwd=project.home, code=code)

    return run


@pytest.fixture
def changed(project, run):
    """A project whose loans were loaded; ``changed(names)`` brings a file with these columns."""
    run("ingest")

    def change(names, name="february", value=1):
        rows = "".join(f"{number}{f',{value}' * names.count(',')}\n" for number in range(5000, 5003))
        (project.home / "data" / f"{name}.csv").write_text(f"{names}\n{rows}")

    return change


LOANS = "id,age,income,home,late"


def test_a_refused_change_waits_for_a_second_person_and_is_loaded_then(changed, run, project):
    assert "nothing waits" in run("contracts", "list").stdout
    write_loans(project.home / "data" / "february.csv", range(5000, 5010))
    file = project.home / "data" / "february.csv"
    first, *rows = file.read_text().splitlines()
    file.write_text("\n".join([f"{first},score", *(f"{row},1.5" for row in rows)]) + "\n")

    error = said(run("ingest", "--json", code=5))["error"]
    assert error["code"] == "schema_changed"
    assert "`drivetrain contracts accept loans`" in error["hint"]
    run("ingest", code=5)
    (waiting,) = said(run("contracts", "list", "--json"))
    assert (waiting["state"], waiting["asked_by"]) == ("waiting", "mia")
    assert [change["text"] for change in waiting["changes"]] == ["+ score number"]
    (state,) = said(run("sources", "check", "--json", code=14))
    assert [alarm["kind"] for alarm in state["alarms"]] == ["review"]
    shown = run("contracts", "show", "loans").stdout
    assert "+ score number  (such as 1.5)" in shown

    run("contracts", "accept", "loans", "--as", "mia", code=6)
    text = run("contracts", "accept", "loans", "--comment", "agreed with the bank").stdout
    assert "next: drivetrain ingest loans" in text
    (waits,) = said(run("contracts", "list", "--json"))
    assert (waits["state"], waits["decision"]["said"]["actor"]) == ("accepted", "alex")
    run("ingest")
    assert said(run("sources", "check", "--json"))[0]["alarms"] == []
    assert said(run("sources", "list", "--json"))[0]["rows"] == 1507

    assert said(run("contracts", "list", "--json")) == []
    (done,) = said(run("contracts", "list", "--all", "--json"))
    assert (done["state"], done["decision"]["said"]["comment"]) == ("loaded", "agreed with the bank")
    assert waiting["review"] in run("trace", "dataset/loans@1").stdout
    assert "accepted by alex" in run("trace", waiting["review"]).stdout
    error = said(run("contracts", "reject", "loans", "--comment", "no", "--json", code=5))["error"]
    assert error["code"] == "review_decided"


def test_another_change_that_came_meanwhile_is_not_loaded(changed, run, project):
    changed(f"{LOANS},score")
    run("ingest", code=5)
    first = said(run("contracts", "show", "loans", "--json"))["review"]
    run("contracts", "accept", "loans")
    changed(f"{LOANS},score,phone")
    run("ingest", code=5)
    changed(LOANS.replace(",home", "") + ",score")
    error = said(run("ingest", "--json", code=5))["error"]
    assert "- home text" in error["message"]
    waiting = said(run("contracts", "list", "--json"))
    assert [one["state"] for one in waiting] == ["accepted", "waiting"]
    assert waiting[0]["review"] == first
    assert said(run("contracts", "list", "--all", "--json"))[1]["state"] == "outdated"
    middle = said(run("contracts", "list", "--all", "--json"))[1]["review"].removeprefix("review/")
    assert said(run("contracts", "accept", middle, "--json", code=5))["error"]["code"] == "review_outdated"


def test_a_rejected_change_goes_on_being_refused_with_the_reason(changed, run):
    changed(f"{LOANS},score")
    run("ingest", code=5)
    run("contracts", "reject", "loans", "--comment", "the score is a leak")
    error = said(run("ingest", "--json", code=5))["error"]
    assert "rejected by alex" in error["message"]
    assert "the score is a leak" in error["message"]
    assert "rejected by alex" in run("ingest", "--accept-schema", code=5).stderr, "who loads may not agree instead"
    assert "rejected by alex" not in run("contracts", "list").stdout
    (done,) = said(run("contracts", "list", "--all", "--json"))
    assert done["state"] == "rejected"


def test_a_dropped_column_of_the_contract_leaves_it_with_every_comment_kept(changed, run, project):
    text = project.file.read_text().replace("        income:", "        # what they earn\n        income:")
    project.file.write_text(text)
    changed("id,age,home,late", value=0)
    (project.home / "data" / "february.csv").write_text("id,age,home,late\n5000,30,rent,0\n")
    run("ingest", code=5)
    done = run("contracts", "accept", "loans").stdout
    assert "-        income: {type: number, min: 0}" in done
    assert project.file.read_text() == text.replace("        income: {type: number, min: 0}\n", "")
    run("ingest")
    assert said(run("sources", "list", "--json"))[0]["rows"] == 1498


def test_the_project_file_is_left_alone_when_asked(changed, run, project):
    text = project.file.read_text()
    (project.home / "data" / "february.csv").write_text("id,age,home,late\n5000,30,rent,0\n")
    run("ingest", code=5)
    found = said(run("contracts", "accept", "loans", "--no-edit", "--json"))
    assert "-        income" in found["edit"]
    assert [change["column"] for change in found["by_hand"]] == ["income"]
    assert project.file.read_text() == text
    assert said(run("ingest", "--json", code=5))["error"]["code"] == "contract_column_missing"


def test_the_policy_decides_by_kind_of_change(changed, run, project):
    rules = "changes: {new: ignore, dropped: alarm, review: required}"
    project.file.write_text(
        project.file.read_text().replace("      max_bad_share", f"      {rules}\n      max_bad_share")
    )
    changed(f"{LOANS},score")
    (project.home / "data" / "february.csv").write_text(f"{LOANS},score\n5000,30,1.0,rent,0,7\n")
    assert said(run("ingest", "--json"))["alarms"] == []
    assert "score" not in run("show", "dataset/loans@1").stdout
    (project.home / "data" / "march.csv").write_text(f"{LOANS},score\n5001,30,1.0,rent,0,7\n")
    assert said(run("ingest", "--json"))["alarms"] == []
    project.file.write_text(project.file.read_text().replace("new: ignore", "new: refuse"))
    (project.home / "data" / "april.csv").write_text(f"{LOANS},score\n5002,30,1.0,rent,0,7\n")
    error = said(run("ingest", "--accept-schema", "--json", code=5))["error"]
    assert "+ score integer" in error["message"]
    assert "--accept-schema" not in error["hint"]
    run("contracts", "accept", "loans")
    run("ingest")
    assert said(run("sources", "list", "--json"))[0]["rows"] == 1500


def test_a_change_that_is_let_in_may_be_told(changed, run, project):
    text = project.file.read_text().replace("      max_bad_share", "      changes: {new: alarm}\n      max_bad_share")
    project.file.write_text(text)
    (project.home / "data" / "february.csv").write_text(f"{LOANS},score\n5000,30,1.0,rent,0,7\n")
    (raised,) = said(run("ingest", "--json"))["alarms"]
    assert raised["alarm"] == {"kind": "schema", "text": "the source changed: + score integer"}


def test_a_new_name_and_then_another_unit_are_agreed_to(changed, run, project):
    text = project.file.read_text().replace("      max_bad_share", "      changes: {unit: refuse}\n      max_bad_share")
    project.file.write_text(text)

    def load(name, first, unit):
        file = project.home / "data" / name
        write_loans(file, range(first, first + 500))
        header, *lines = file.read_text().splitlines()
        cells = [line.split(",") for line in lines]
        said_so = [",".join([i, age, f"{float(pay) / unit:.6f}" if pay else "", *rest]) for i, age, pay, *rest in cells]
        file.write_text("\n".join([header.replace("income", "monthly_income"), *said_so]) + "\n")
        error = said(run("ingest", "--json", code=5))["error"]
        accepted = said(run("contracts", "accept", "loans", "--json"))
        run("ingest")
        return error["code"], accepted["review"]["changes"][0]["kind"], accepted["edit"]

    assert load("february.csv", 5000, 1) == ("schema_changed", "renamed", "")
    assert "income" in [
        column["name"] for column in said(run("sources", "sample", "loans", "-n", "20", "--json"))["columns"]
    ]
    assert load("march.csv", 6000, 1000) == ("values_changed", "unit", "")
    shown = said(run("show", "dataset/loans@2", "--json"))
    assert (shown["rows"], len(shown["load"]["reviews"])) == (2497, 1)
    assert [column["name"] for column in shown["schema"]["columns"]] == ["id", "age", "income", "home", "late"]


def test_live_services_that_read_the_column_are_named(released, commands):
    for verb in ("approve", "deploy"):
        commands(verb, cwd=released.home)
    file = released.home / "data" / "february.csv"
    file.write_text("id,age,home,late\n5000,30,rent,0\n")
    commands("ingest", cwd=released.home, code=5)
    readers = said(commands("contracts", "show", "loans", "--json", cwd=released.home))["readers"]
    release = said(commands("ls", "release", "--json", cwd=released.home))[0]["ref"]
    assert [line.partition(":")[0].partition("@")[0] for line in readers] == [
        "features/small-risk", "model/small-risk", "live service small-risk",
    ]  # fmt: skip
    assert readers[-1] == f"live service small-risk: {release}, where features/borrower.sql reads income"
    assert "read by:" in commands("contracts", "show", "loans", cwd=released.home).stdout
    (released.home / "features" / "borrower.sql").write_text("SELECT id AS loan_id, age, home FROM loans\n")
    file.write_text("id,age,home,late\n5000,30,rent,0\n5001,30,rent,0\n")
    error = said(commands("ingest", "--json", cwd=released.home, code=5))["error"]
    assert "features/small-risk" not in error["message"]
    assert f"live service small-risk: {release}, where" in error["message"]


def test_a_decision_that_was_not_signed_counts_nothing(changed, run, project):
    from dataclasses import replace

    from drivetrain.core.artifacts import Decision, Endorsement, Review

    changed(f"{LOANS},score")
    run("ingest", code=5)
    review = project.catalog.latest(Review, "loans")
    forged = Decision("accept", Endorsement("alex", "ai-engineer", "k", "t"), "{}")
    project.catalog.put(replace(review, decision=forged))
    run("ingest", code=5)


def test_a_review_that_is_not_there_names_those_that_are(changed, run):
    error = said(run("contracts", "show", "loans", "--json", code=4))["error"]
    assert (error["code"], "there is none" in error["hint"]) == ("review_unknown", True)
