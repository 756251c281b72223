"""The phishing pack: from an empty folder to a live service that finds its drift, in one command."""

import json

import pytest
import yaml

import drivetrain as package
from drivetrain.core.artifacts import Dataset, Report

from .test_credit import run

FLOOR = 0.98


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What `drivetrain demo --once --pack phishing` leaves behind; of the learners only the one that wins is tried."""
    folder = tmp_path_factory.mktemp("phishing")
    run(folder, "init", "phishing", "--pack", "phishing")
    file = folder / "phishing" / "drivetrain.yaml"
    whole = yaml.safe_load(file.read_text())
    winner = [each for each in whole["model"]["candidates"] if each["learner"] == "xgboost"]
    model = {**whole["model"], "candidates": winner, "budget": {"trials": 1}}
    file.write_text(yaml.safe_dump({**whole, "model": model}, sort_keys=False))
    said = json.loads(run(folder, "demo", "--once", "--pack", "phishing", "--folder", "phishing", "--json"))
    return folder / "phishing", said


@pytest.mark.timeout(300)
def test_the_demo_finds_the_drift_it_let_in(demo):
    said = demo[1]
    assert (said["steady"]["verdict"], said["drift"]["verdict"]) == ("steady", "drifted")
    assert {"https", "long_url"} <= {column["name"] for column in said["drift"]["columns"] if column["alarm"]}


def test_every_site_is_there_and_the_floor_is_reached(demo):
    project = package.open(demo[0])
    with project.catalog:
        assert project.catalog.latest(Dataset, "sites").rows == 1_250
        report = project.catalog.latest(Report, "phishing")
        auc = next(metric for metric in report.metrics if metric.name == "roc_auc")
        assert (auc.rows, report.verdict) == (250, "pass")
        assert auc.value >= FLOOR


def test_the_proxy_gets_the_sites_to_block(demo):
    folder = demo[0]
    (folder / "blocklist").mkdir()
    file = folder / "drivetrain.yaml"
    whole = yaml.safe_load(file.read_text())
    whole["outlets"]["proxy"]["history"] = True
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    run(folder, "deliver", "proxy")
    (found,) = (folder / "blocklist").glob("*.csv")
    lines = found.read_text().splitlines()
    assert lines[0] == "site,score"
    assert len(lines) > 50


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_pack_as_it_is_shipped_reaches_its_floor(tmp_path):
    run(tmp_path, "packs", "score", "phishing")
