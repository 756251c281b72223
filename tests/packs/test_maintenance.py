"""The pack `maintenance`: its second project, remaining life, on engines that ran until they failed."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from tests.house.conftest import ROOT

from drivetrain.core.artifacts import Features, Model
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.project import Project
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_cases
from drivetrain.store.models import read_model

FD001 = Path(os.environ.get("DRIVETRAIN_SHARED_DATA", ROOT.parent / "shared/data")) / "maintenance-cmapss-fd001"
needs_engines = pytest.mark.skipif(not FD001.is_dir(), reason="C-MAPSS FD001 is not on this machine (../shared/data)")
COLUMNS = ["fleet", "unit", "cycle", "left", "op1", "op2", "op3", *(f"s{number}" for number in range(1, 22))]
FLOOR = 11.8


def _lines(name):
    return [line.split() for line in (FD001 / name).read_text().splitlines() if line.strip()]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """The project that the README of the pack tells of, with 100 engines to learn from and 100 to be judged by."""
    project = create_project(tmp_path_factory.mktemp("life"), "maintenance", Settings(), name="engines")
    (project.home / "drivetrain.yaml").write_bytes((project.home / "remaining_life.yaml").read_bytes())
    left = [row[0] for row in _lines("RUL_FD001.txt")]
    (project.home / "data" / "readings").mkdir(parents=True)
    with (project.home / "data" / "readings" / "fd001.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(["ran", row[0], row[1], "", *row[2:]] for row in _lines("train_FD001.txt"))
        for row in _lines("test_FD001.txt"):
            rows.writerow(["held", 1000 + int(row[0]), row[1], left[int(row[0]) - 1], *row[2:]])
    project = Project(project.home, Settings())
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
    said = Saying(content.signature, content.decision, content.interval).say(content.expected)
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
