"""A model that is a person's Python code, from the project file to its deployment, by the way every model goes."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest
from tests.conftest import PROJECT, with_identities, write_small_project

from drivetrain.core.artifacts import Model, Report
from drivetrain.core.errors import Refused
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.store.models import model_from, open_scorer

CODE = """\
import json
from pathlib import Path
import numpy as np

RULES = json.loads((Path(__file__).parent / "rules.json").read_text())

def score(columns):
    print("scoring", len(columns["age"]))
    income = np.minimum(np.nan_to_num(columns["income"], nan=3000.0), 8000)
    rent = np.where(columns["home"] == "rent", RULES["rent"], 0.0)
    return np.clip(0.75 - columns["age"] / 140 - income / 24000 + rent, 0, 1)
"""
SEARCH = PROJECT[PROJECT.index("  candidates:") : PROJECT.index("  decision:")]
TIMED = "  latency: {p99_ms: 1000}\n"
CONSENT = "the rules are the regulator's, as they stand"


@pytest.fixture
def project(tmp_path):
    folder = write_small_project(tmp_path / "small-risk")
    file = folder / "drivetrain.yaml"
    told = "  code: scoring.py:score\n  files: [rules.json]\n  limits: {seconds: 5}\n"
    file.write_text(
        PROJECT.replace(SEARCH, told)
        .replace("gates:\n", f"gates:\n  allow_code: {CONSENT}\n")
        .replace(TIMED, "  latency: null\n")
    )
    (folder / "scoring.py").write_text(CODE)
    (folder / "rules.json").write_text(json.dumps({"rent": 0.15}))
    opened = with_identities(folder)
    yield opened
    opened.catalog.close()


def test_rules_go_from_a_file_to_a_deployment(project):
    project.run()
    report = project.catalog.latest(Report, "small-risk")
    gates = {gate.gate: gate for gate in report.gates}
    assert report.verdict == "pass", report.failed
    assert CONSENT in gates["safety"].detail
    assert "scoring.py:score" in gates["safety"].detail
    assert gates["parity"].measured.value == 0
    assert project.run().ran == ()

    project.approve()
    verified = project.verify()
    deployed = project.deploy()
    assert deployed.shares[0].release == verified.ref
    content = model_from(verified.part("model"), "the release")
    assert content.code.files["scoring.py"] == CODE.encode()
    with closing(open_scorer(content)) as scorer:
        assert scorer.score(np.array([[40.0, 2400.0, 0.0]])) >= 0


def test_a_changed_table_is_another_model_and_without_consent_code_is_not_even_run(project):
    project.run("train")
    before = project.catalog.latest(Model, "small-risk")
    (project.home / "rules.json").write_text(json.dumps({"rent": 0.1}))
    step = next(step for step in project.plan().steps if step.stage == "train")
    assert (step.state, step.why) == ("stale", "rules.json changed")

    file = project.home / "drivetrain.yaml"
    file.write_text(file.read_text().replace(f"  allow_code: {CONSENT}\n", ""))
    strict = Project(project.home, Settings())
    with closing(strict.catalog), pytest.raises(Refused, match="gates"):
        strict.run()
    assert project.catalog.latest(Model, "small-risk").digest != before.digest
    gates = {gate.gate: gate for gate in project.catalog.latest(Report, "small-risk").gates}
    assert "gates.allow_code has to say why" in gates["safety"].detail
    assert gates["parity"].detail == "not run: the model file is not safe"
