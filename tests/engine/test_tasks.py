"""A release of several classes, and one of a number: from a CSV file to an approved release, through every stage."""

import csv

import numpy as np
import pytest
from tests.conftest import with_identities

from drivetrain.core.artifacts import Features, Model, Report
from drivetrain.store.models import read_model

PROJECT = """\
project: parcels
description: Parcels of a small firm.
sources:
  parcels:
    kind: files
    path: data/*.csv
    contract:
      key: [parcel]
      columns:
        parcel: {type: integer, nullable: false}
        weight: {type: number, min: 0}
        distance: {type: number, min: 0}
        zone: {type: text, nullable: false}
        carrier: {type: text, nullable: false}
        days: {type: number, nullable: false, min: 0}
features:
  task: %s
  spine: features/cases.sql
  entity: parcel
  label: %s
  tables:
    parcel: {sql: features/parcel.sql}
  split: {by: chance, test: 0.3, seed: 0}
model:
  candidates: [{learner: %s, params: {knots: 8}}, {learner: hist_gradient_boosting, params: {max_iter: 40}}]
  budget: {trials: 3}
  decision: %s
  tracking: "off"
gates:
  %s
  slices: {min_rows: 60, max_drop: 0.3}
  robustness: %s
  latency: {p99_ms: 1000}
"""
CLASSES = (
    "classes", "carrier", "logistic", "{kind: rejection, share: 0.1}",
    "accuracy: {min: 0.7}\n  calibration: {max: 0.1}\n  fairness: [{column: zone, max: 0.9}]",
    "{max_drop: 0.5}",
)  # fmt: skip
NUMBER = (
    "number", "days", "linear", "{kind: limit, value: 6, when: above}",
    "r2: {min: 0.6}\n  coverage: {min: 0.8, max: 0.98}",
    "{metric: mae, max_drop: 4}",
)  # fmt: skip


def write_parcels(path, rows=1200):
    """Heavy parcels go by lorry, far ones by air, the others by bike; far and rural ones take longer."""
    chance = np.random.default_rng(5)
    weight, distance = chance.gamma(2, 4, rows), chance.gamma(2, 200, rows)
    zone = chance.choice(["city", "town", "rural"], rows)
    draw = np.column_stack([weight / 4 - 1, distance / 200 - 1, np.full(rows, 0.7)]) * 2 + chance.gumbel(
        0, 0.6, (rows, 3)
    )
    carrier = np.array(["lorry", "air", "bike"])[draw.argmax(axis=1)]
    days = 1 + distance / 100 + 2 * (zone == "rural") + chance.gamma(2, 0.4, rows)
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["parcel", "weight", "distance", "zone", "carrier", "days"])
        for row in range(rows):
            shown = "" if chance.random() < 0.05 else round(weight[row], 2)
            writer.writerow([row, shown, round(distance[row], 1), zone[row], carrier[row], round(days[row], 2)])


@pytest.fixture
def parcels(tmp_path):
    """Opens a project on the parcels that asks for one of their columns."""
    opened = []

    def of(task):
        folder = tmp_path / task[0]
        write_parcels(folder / "data" / "parcels.csv")
        (folder / "features").mkdir()
        (folder / "drivetrain.yaml").write_text(PROJECT % task)
        (folder / "features" / "cases.sql").write_text(f"SELECT parcel, {task[1]} FROM parcels\n")
        (folder / "features" / "parcel.sql").write_text("SELECT parcel, weight, distance, zone FROM parcels\n")
        opened.append(with_identities(folder))
        return opened[-1]

    yield of
    for project in opened:
        project.catalog.close()


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task[0])
def test_from_a_file_to_an_approved_release(parcels, task):
    project = parcels(task)
    result = project.run()
    assert [step.stage for step in result.ran] == ["ingest", "prepare", "train", "validate", "release"]
    catalog = project.catalog
    features, model = catalog.latest(Features, "parcels"), catalog.latest(Model, "parcels")
    report = catalog.latest(Report, "parcels")
    assert report.verdict == "pass", [f"{gate.gate}: {gate.detail}" for gate in report.failed]
    assert features.task == task[0]
    content = read_model(catalog.folder(model.ref))
    assert (content.signature.task, content.signature.classes) == (features.task, features.classes)
    approved = project.as_actor("alex").approve()
    assert approved.approval.actor == "alex"
    assert project.run().ran == ()
