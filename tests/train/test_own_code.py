from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
import yaml

from drivetrain.core.errors import InvalidInput, NotFound, Transient
from drivetrain.core.parse import parse_project
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import measure
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_cases
from drivetrain.store.models import read_model
from drivetrain.train.train import train

TARIFF = """\
import json
from pathlib import Path
import msgspec
import numpy as np
from rules.income import burden

POINTS = json.loads((Path(__file__).parent / "tables" / "points.json").read_text())

def score(columns):
    points = POINTS["late"] * columns["late"] + burden(columns["income"])
    points += np.where(columns["home"] == "rent", POINTS["rent"], 0)
    return 1 / (1 + np.exp(1.2 - points))
"""
INCOME = """\
import numpy as np

def burden(income):
    return np.nan_to_num(-0.8 * (np.log(income) - 8.0))
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tariff.py").write_text(TARIFF)
    (tmp_path / "rules" / "income.py").write_text(INCOME)
    (tmp_path / "tables" / "points.json").write_text('{"late": 1.2, "rent": 1.0}')
    return tmp_path


def spec(**changes):
    told = {"code": "tariff.py:score", "files": ["rules", "tables/*.json"], "tracking": "off"}
    return ModelSpec.model_validate(told | changes)


def truth(inputs):
    """The tariff once more, from the raw columns."""
    raw = inputs.to_pydict()
    points = [
        1.2 * late + (0 if income is None else -0.8 * (np.log(income) - 8.0)) + (home == "rent")
        for late, income, home in zip(raw["late"], raw["income"], raw["home"], strict=True)
    ]
    return 1 / (1 + np.exp(1.2 - np.array(points)))


def test_code_becomes_a_model_whose_answers_are_the_code_s(loans, catalog, home):
    model = train(spec(limits={"seconds": 5, "processes": 2, "memory_mb": 4096}), "risk", loans, catalog)
    content = read_model(catalog.folder(model.ref))
    assert (content.graph, model.learner) == (b"", "code")
    assert sorted(content.code.files) == ["rules/income.py", "tables/points.json", "tariff.py"]
    entry = content.code.entry
    assert (entry.function, entry.seconds, entry.processes, entry.memory_mb) == ("tariff.py:score", 5, 2, 4096)
    test, learned = read_cases(catalog, loans, "test"), read_cases(catalog, loans, "train")
    assert np.abs(content.expected - truth(test.inputs)).max() < 1e-12
    assert model.estimate.value == pytest.approx(measure("roc_auc", learned.label, truth(learned.inputs)))
    assert model.estimate.low < model.estimate.value < model.estimate.high
    assert model.estimate.value > 0.75
    assert content.reference.rows == len(learned)
    assert len(pack(content.signature, test.inputs)[0]) == len(content.signature.inputs) == 5
    assert sum(content.reference.score.counts) == len(learned)


def test_the_summary_says_that_it_was_not_trained(loans, catalog, home):
    model = train(spec(decision={"kind": "capacity", "share": 0.1}), "risk", loans, catalog)
    content = read_model(catalog.folder(model.ref))
    summary = content.training
    assert summary.why.startswith("tariff.py:score was taken as it is (3 files")
    assert summary.calibration.startswith("none")
    assert [(part.candidate, part.weight) for part in summary.blend] == [("code", 1.0)]
    assert summary.candidates[0].estimate == model.estimate
    assert any(line.startswith("msgspec==") for line in content.environment.packages), "what the code imports"
    flagged = truth(read_cases(catalog, loans, "train").inputs) >= content.decision.threshold
    assert flagged.mean() == pytest.approx(0.1, abs=0.01)


def test_the_same_code_is_the_same_model_and_another_another(loans, catalog, home):
    first, second = (train(spec(), "risk", loans, catalog) for _ in range(2))
    assert first.digest == second.digest
    (home / "tables" / "points.json").write_text('{"late": 1.2, "rent": 1.5}')
    assert train(spec(), "risk", loans, catalog).digest != first.digest


def test_code_that_fails_is_named_with_its_line(loans, catalog, home):
    (home / "tables" / "points.json").write_text('{"late": 1.2}')
    with pytest.raises(InvalidInput, match="KeyError: 'rent'") as told:
        train(spec(), "risk", loans, catalog)
    assert (told.value.code, told.value.where) == ("model_code_failed", "tariff.py:11")


def test_code_that_hangs_or_crashes_does_not_take_the_run_along(loans, catalog, home):
    (home / "tariff.py").write_text("def score(columns):\n    while True: pass\n")
    with pytest.raises(Transient, match=r"within 0\.2 s"):
        train(spec(limits={"seconds": 0.2}), "risk", loans, catalog)
    (home / "tariff.py").write_text("import os\ndef score(columns):\n    os._exit(9)\n")
    with pytest.raises(Transient, match="exit code 9"):
        train(spec(), "risk", loans, catalog)


def test_a_helper_that_was_not_named_is_missing_here_and_not_only_when_it_serves(loans, catalog, home):
    with pytest.raises(InvalidInput, match="No module named 'rules'"):
        train(spec(files=["tables"]), "risk", loans, catalog)
    with pytest.raises(NotFound, match="no file 'tabels"):
        train(spec(files=["rules", "tabels/*.json"]), "risk", loans, catalog)


PROJECT = {
    "project": "small",
    "sources": {"loans": {"kind": "files", "path": "x.csv"}},
    "features": {"spine": "a.sql", "entity": "a", "label": "b", "tables": {"t": {"sql": "b.sql"}}},
}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"code": "a.py:score", "candidates": [{"learner": "logistic"}]}, "`candidates` has nothing to do"),
        ({"code": "a.py:score", "budget": {"trials": 1}}, "`budget` has nothing to do"),
        ({"files": ["tables"]}, "there is no `code`, so `files` has nothing to do"),
        ({"code": "package.module:score"}, "code"),
        ({"code": "a.py"}, "code"),
    ],
)
def test_a_section_that_says_two_things_is_refused(model, reason):
    with pytest.raises(InvalidInput, match=reason):
        parse_project(yaml.safe_dump(PROJECT | {"model": model}))


def test_the_section_survives_being_written_and_read():
    for section in (spec(), ModelSpec()):
        assert ModelSpec.model_validate_json(section.model_dump_json()) == section


def test_code_of_classes_answers_by_name(make_features, catalog, home):
    (home / "tariff.py").write_text(
        "def score(columns):\n"
        "    big = columns['size'] > 5\n"
        "    return {'lorry': 0.1 + 0.7 * big, 'bike': 0.9 - 0.7 * big}\n"
    )
    size = np.arange(200) % 10
    label = np.where(size > 5, "lorry", "bike")
    label[::25] = "air"
    features = make_features({"size": pa.array(size.astype(float))}, label, task=Task.CLASSES)
    model = train(spec(files=[], decision={"kind": "threshold", "value": 0.85}), "parcels", features, catalog)
    content = read_model(catalog.folder(model.ref))
    cases = read_cases(catalog, features, "test")
    expected = {"bike": 0.9 - 0.7 * (cases.inputs["size"].to_numpy() > 5), "air": np.zeros(len(cases))}
    for at, name in enumerate(content.signature.classes):
        assert content.expected[:, at] == pytest.approx(expected.get(name, 1 - expected["bike"]))
    assert model.estimate.name == "accuracy"
    assert model.estimate.value > 0.9
    assert sum(content.reference.outputs[0].counts) == content.reference.rows


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("[[1, 0]] * n", "answered list, not the probabilities of each class by its name"),
        ("{'ship': np.ones(n)}", "answered for 'ship'; the classes are"),
        ("{'bike': np.ones(n) / 2}", "add up to 0.5, not to one"),
        ("{'bike': np.ones(n) * 2}", "answered 2.0 for row 0, which is no probability"),
    ],
)
def test_code_of_classes_that_answers_something_else_is_refused(make_features, catalog, home, answer, says):
    (home / "tariff.py").write_text(
        f"import numpy as np\n\ndef score(columns):\n    n = len(columns['x'])\n    return {answer}\n"
    )
    label = np.where(np.arange(100) % 2, "bike", "lorry")
    features = make_features({"x": pa.array(np.arange(100.0))}, label, task=Task.CLASSES)
    with pytest.raises(InvalidInput, match=re.escape(says)):
        train(spec(files=[]), "parcels", features, catalog)


def test_code_of_numbers_comes_with_an_interval(make_features, catalog, home):
    (home / "tariff.py").write_text("def score(columns):\n    return 10 * columns['x'] - 3\n")
    chance = np.random.default_rng(0)
    x = chance.normal(size=400)
    features = make_features({"x": pa.array(x)}, 10 * x - 3 + chance.normal(size=400), task=Task.NUMBER)
    content = read_model(catalog.folder(train(spec(files=[]), "days", features, catalog).ref))
    cases = read_cases(catalog, features, "test")
    assert content.expected == pytest.approx(10 * cases.inputs["x"].to_numpy() - 3)
    low, high = Saying(content.signature, content.decision, content.interval).say_alone(content.expected).ends
    assert 0.8 < ((cases.label >= low) & (cases.label <= high)).mean() < 1.0
