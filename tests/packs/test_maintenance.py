"""The pack `maintenance`: remaining life of engines that ran until they failed, and what is odd without labels."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from tests.house.conftest import ROOT

from drivetrain.core.artifacts import Features, Model, Report
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.project import Project
from drivetrain.engine.sending import send
from drivetrain.engine.serving import Server
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_cases
from drivetrain.store.models import read_model

FD001 = Path(os.environ.get("DRIVETRAIN_SHARED_DATA", ROOT.parent / "shared/data")) / "maintenance-cmapss-fd001"
needs_engines = pytest.mark.skipif(not FD001.is_dir(), reason="C-MAPSS FD001 is not on this machine (../shared/data)")
COLUMNS = ["fleet", "unit", "cycle", "left", "op1", "op2", "op3", *(f"s{number}" for number in range(1, 22))]
FLOOR = 11.8


def _lines(name):
    return [line.split() for line in (FD001 / name).read_text().splitlines() if line.strip()]


def _of_engines(folder, variant):
    """A project of the pack with the readings of FD001: 100 engines to learn from, and 100 to be judged by."""
    project = create_project(folder, "maintenance", Settings(), name="engines")
    (project.home / "drivetrain.yaml").write_bytes((project.home / variant).read_bytes())
    left = [row[0] for row in _lines("RUL_FD001.txt")]
    (project.home / "data" / "readings").mkdir(parents=True)
    with (project.home / "data" / "readings" / "fd001.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(["ran", row[0], row[1], "", *row[2:]] for row in _lines("train_FD001.txt"))
        for row in _lines("test_FD001.txt"):
            rows.writerow(["held", 1000 + int(row[0]), row[1], left[int(row[0]) - 1], *row[2:]])
    return Project(project.home, Settings())


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """The project that the README of the pack tells of."""
    project = _of_engines(tmp_path_factory.mktemp("life"), "remaining_life.yaml")
    project.run("train")
    return project


@needs_engines
@pytest.mark.slow
def test_remaining_life_reaches_its_floor_on_the_newest_cycle_of_engines_never_seen(engines):
    features = engines.catalog.latest(Features, "engines")
    cases = read_cases(engines.catalog, features, "test")
    model = read_model(engines.catalog.folder(engines.catalog.latest(Model, "engines").ref))
    assert len(cases) == 100
    assert np.sqrt(np.mean(np.square(cases.label - model.expected))) <= FLOOR
    assert "grouped" in model.training.protocol


@needs_engines
@pytest.mark.slow
def test_engines_about_to_fail_are_told_from_those_that_are_not(engines):
    cases = read_cases(engines.catalog, engines.catalog.latest(Features, "engines"), "test")
    content = read_model(engines.catalog.folder(engines.catalog.latest(Model, "engines").ref))
    said = Saying(content.signature, content.decision, content.interval).say_alone(content.expected)
    near, far = cases.label <= 15, cases.label >= 50
    assert said.decision[near].mean() >= 0.9
    assert said.decision[far].mean() <= 0.02
    low, high = said.outputs.T
    assert np.mean((cases.label >= low) & (cases.label <= high)) >= 0.8


@needs_engines
@pytest.mark.slow
def test_machines_that_run_are_kept_to_be_scored(engines):
    features = engines.catalog.latest(Features, "engines")
    assert {part.part: part.rows for part in features.parts} == {"train": 20_631, "test": 100, "open": 12_996}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The report on a variant of the pack, and the estimate of its model."""

    def run(variant):
        home = create_project(tmp_path_factory.mktemp("odd"), "maintenance", Settings(), name="odd").home
        (home / "drivetrain.yaml").write_bytes((home / variant).read_bytes())
        project = Project(home, Settings())
        report = project.get(Report, project.run("validate").steps[-1].ref)
        return project.catalog.latest(Model, "odd").estimate, report

    return run


@pytest.mark.slow
def test_faults_of_the_shuttle_are_found_without_a_label(judged):
    _, report = judged("unlabelled.yaml")
    measured = {gate.gate: gate.measured.value for gate in report.gates if gate.measured}
    assert [gate.gate for gate in report.failed if not gate.timed] == []
    assert measured["average_precision"] >= 0.95
    assert measured["false_alarms"] <= 0.02


@pytest.mark.slow
def test_vibration_of_which_nobody_knows_a_fault_is_flagged_as_rarely_as_was_asked(judged):
    agreement, report = judged("hvac.yaml")
    assert agreement.value >= 0.4
    assert [gate.gate for gate in report.failed if not gate.timed] == []
    assert [metric.name for metric in report.metrics] == ["flagged"]
    assert report.metrics[0].value <= 0.03


@needs_engines
@pytest.mark.slow
def test_alarms_spare_failures_of_engines_never_seen_and_cost_less_than_the_calendar(tmp_path):
    project = _of_engines(tmp_path, "failing_soon.yaml")
    report = project.get(Report, project.run("validate").steps[-1].ref)
    measured = {gate.gate: gate.measured for gate in report.gates if gate.measured}
    assert [gate.gate for gate in report.failed if not gate.timed] == []
    assert measured["alarms"].value >= 0.9
    assert measured["alarms:false"].value <= 0.5
    assert measured["alarms:cost"].low > 0


@needs_engines
@pytest.mark.slow
def test_usual_traffic_of_engines_is_steady_and_a_replaced_sensor_is_a_drift(tmp_path):
    project = _of_engines(tmp_path, "remaining_life.yaml")
    file = project.home / "drivetrain.yaml"
    file.write_text(file.read_text().replace("latency: {p99_ms: 5}", "latency: {p99_ms: 500}"))
    (project.home / "demo" / "drift.sql").write_bytes((project.home / "demo" / "life_drift.sql").read_bytes())
    project = Project(project.home, Settings())
    project.as_actor("ml-engineer").run()
    deployer = project.as_actor("ai-engineer")
    deployer.approve(comment="read the card")
    deployer.deploy()
    with Server(project.server_command(port=0), project.catalog.state / "run" / "engines.json") as server:
        verdicts = []
        for drift in (False, True):
            assert send(deployer, server.url, rows=1000, drift=drift).predictions == 100
            verdicts.append(deployer.monitor().verdict)
    assert verdicts == ["steady", "drifted"]
