"""What is stale, and why."""

from tests.conftest import write_loans


def states(plan):
    return [(step.stage, step.state) for step in plan.steps]


def why(plan, stage):
    return next(step.why for step in plan.steps if step.stage == stage)


def edit(project, old, new):
    text = project.file.read_text()
    assert old in text
    project.file.write_text(text.replace(old, new))
    return type(project)(project.file, project.settings)


def test_first_plan_waits_for_data(project):
    plan = project.plan()
    assert not plan.fresh
    assert states(plan)[0] == ("ingest", "stale")
    assert {state for _, state in states(plan)[1:]} == {"waiting"}
    assert why(plan, "ingest") == "never ran"


def test_nothing_is_stale_after_a_run(released):
    plan = released.plan()
    assert plan.fresh
    assert [step.ref.kind for step in plan.steps] == ["dataset", "features", "model", "report", "release"]


def test_changed_gate_stales_the_proof_only(released):
    plan = edit(released, "roc_auc: {min: 0.6}", "roc_auc: {min: 0.61}").plan()
    assert states(plan) == [
        ("ingest", "fresh"), ("prepare", "fresh"), ("train", "fresh"), ("validate", "stale"), ("release", "waiting"),
    ]  # fmt: skip
    assert why(plan, "validate") == "section gates changed"


def test_changed_sql_names_the_file(released):
    (released.home / "features" / "borrower.sql").write_text("SELECT id AS loan_id, age, income FROM loans\n")
    plan = released.plan()
    assert states(plan)[:2] == [("ingest", "fresh"), ("prepare", "stale")]
    assert why(plan, "prepare") == "features/borrower.sql changed"


def test_new_file_is_new_data(released):
    write_loans(released.home / "data" / "february.csv", range(1500, 1510))
    plan = released.plan()
    assert states(plan)[0] == ("ingest", "stale")
    assert why(plan, "ingest") == "data of loans changed"


def test_comment_in_the_project_file_stales_the_release_only(released):
    plan = edit(released, "project: small-risk", "# a remark\nproject: small-risk").plan()
    assert states(plan)[-2:] == [("validate", "fresh"), ("release", "stale")]
    assert why(plan, "release") == "drivetrain.yaml changed"


def test_going_back_finds_the_old_result(released):
    changed = edit(released, "seed: 0", "seed: 1")
    changed.run("prepare")
    back = edit(changed, "seed: 1", "seed: 0")
    assert back.plan().fresh
