import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.decision import CapacityDecision, CostDecision
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.model import BlendPart
from drivetrain.core.project import Budget, ModelSpec
from drivetrain.ops.metrics import roc_auc
from drivetrain.ops.packing import pack
from drivetrain.store.cases import read_cases
from drivetrain.store.models import Scorer, read_model
from drivetrain.store.tables import Commit, Table
from drivetrain.train.train import train

QUICK = ({"learner": "logistic"}, {"learner": "xgboost", "params": {"n_estimators": 15}})


def spec(**changes) -> ModelSpec:
    told = {"candidates": QUICK, "budget": {"trials": 4}, "tracking": "off"}
    return ModelSpec.model_validate(told | changes)


def scored(catalog, features, content):
    cases = read_cases(catalog, features, "test")
    return cases, Scorer(content.graph).score(pack(content.signature, cases.inputs))


def test_all_built_in_learners_race_and_the_winner_generalises(loans, catalog):
    fast = [*QUICK, {"learner": "hist_gradient_boosting", "params": {"max_iter": 20}}]
    fast.append({"learner": "random_forest", "params": {"n_estimators": 15}})
    model = train(spec(candidates=fast, budget={"trials": 9}), "risk", loans, catalog)
    content = read_model(catalog.folder(model.ref))
    cases, scores = scored(catalog, loans, content)
    assert roc_auc(cases.label, scores) > 0.75
    assert model.estimate.low < roc_auc(cases.label, scores) < model.estimate.high + 0.1
    assert {candidate.name for candidate in content.training.candidates} == {one["learner"] for one in fast}
    assert sum(candidate.trials for candidate in content.training.candidates) == 9
    assert sum(part.weight for part in content.training.blend) == pytest.approx(1.0)
    assert model.parents == (loans.ref,)
    assert "operations" in content.training.why


def test_the_served_graph_answers_as_the_pipeline_did(loans, catalog):
    content = read_model(catalog.folder(train(spec(), "risk", loans, catalog).ref))
    cases, scores = scored(catalog, loans, content)
    assert len(content.expected) == len(cases)
    assert np.abs(scores - content.expected).max() <= 1e-6


def test_two_runs_make_the_same_bytes_and_leave_no_work(loans, catalog):
    first = train(spec(), "risk", loans, catalog)
    before = {file.path: (catalog.folder(first.ref) / file.path).read_bytes() for file in first.files}
    second = train(spec(), "risk", loans, catalog)
    assert second == first
    assert {path: (catalog.folder(second.ref) / path).read_bytes() for path in before} == before
    assert not list(catalog.work_path("train", "x").parent.glob("*"))


def test_the_number_of_cores_changes_nothing(loans, catalog, monkeypatch):
    first = train(spec(), "risk", loans, catalog)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(3)))
    assert train(spec(), "risk", loans, catalog) == first


def test_another_seed_makes_another_model(loans, catalog):
    assert train(spec(seed=1), "risk", loans, catalog).digest != train(spec(), "risk", loans, catalog).digest


def test_labels_of_the_test_part_are_not_looked_at(loans, catalog):
    first = train(spec(), "risk", loans, catalog)
    table = Table(catalog.table_path("features", loans.name))
    rows = table.read()
    turned = [not label if part == "test" else label for label, part in zip(*_columns(rows), strict=True)]
    changed = rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(turned))
    version = table.overwrite(changed, Commit("", "other", len(rows)))
    again = train(spec(), "risk", replace(loans, version=version), catalog)
    assert again.files == first.files


def _columns(rows):
    return rows.column("label").to_pylist(), rows.column("split").to_pylist()


def test_a_miss_that_costs_an_input_and_a_capacity_move_the_threshold(loans, catalog):
    name = next(column.name for column in loans.inputs.columns if column.type == "number")
    plain = {"kind": "cost", "false_positive": 1, "false_negative": 5}
    cases = [plain, plain | {"times": name}, plain | {"capacity": 0.01}]
    rules = [
        read_model(catalog.folder(train(spec(decision=case), "risk", loans, catalog).ref)).decision for case in cases
    ]
    assert [rule.times for rule in rules] == ["", name, ""]
    assert rules[2].capacity == 0.01
    assert rules[2].threshold > rules[0].threshold
    with pytest.raises(InvalidInput, match="no input 'salary'"):
        train(spec(decision=plain | {"times": "salary"}), "risk", loans, catalog)


def test_the_decision_comes_from_out_of_fold_scores(loans, catalog):
    cost = CostDecision(kind="cost", false_positive=1, false_negative=10)
    by_cost = read_model(catalog.folder(train(spec(decision=cost), "risk", loans, catalog).ref))
    assert by_cost.decision.kind == "cost"
    assert 0.01 < by_cost.decision.threshold < 0.4
    capacity = CapacityDecision(kind="capacity", share=0.2)
    by_capacity = read_model(catalog.folder(train(spec(decision=capacity), "risk", loans, catalog).ref))
    _, scores = scored(catalog, loans, by_capacity)
    assert 0.1 < (scores >= by_capacity.decision.threshold).mean() < 0.3


def test_defaults_are_tried_whatever_the_budget(loans, catalog):
    heard = []
    model = train(
        spec(budget=Budget(trials=1)), "risk", loans, catalog, lambda done, total=None, note="": heard.append(done)
    )
    found = read_model(catalog.folder(model.ref)).training.candidates
    assert [(candidate.trials, candidate.defaults) for candidate in found] == [(1, True), (1, True)]
    assert heard[-1] == 2


def test_a_budget_in_seconds_ends_by_itself(loans, catalog):
    heard = []
    budget = Budget(seconds=2)
    train(spec(budget=budget), "risk", loans, catalog, lambda done, total=None, note="": heard.append((done, total)))
    assert heard[-1][1] == 2
    assert all(done <= 2 for done, _ in heard)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_calibration_is_as_asked(loans, catalog):
    for asked, expected in (("none", "none: as asked"), ("sigmoid", "sigmoid with slope"), ("auto", "log loss")):
        content = read_model(catalog.folder(train(spec(calibration=asked), "risk", loans, catalog).ref))
        assert expected in content.training.calibration


def test_a_blend_needs_its_gain(loans, catalog):
    content = read_model(catalog.folder(train(spec(blend_min_gain=0.5), "risk", loans, catalog).ref))
    assert [part.weight for part in content.training.blend] == [1.0]
    assert isinstance(content.training.blend[0], BlendPart)


@pytest.mark.parametrize("metric", ["average_precision", "log_loss"])
def test_other_metrics_choose_too(loans, catalog, metric):
    model = train(spec(metric=metric), "risk", loans, catalog)
    assert model.estimate.name == metric
    assert 0 < model.estimate.low < model.estimate.value < model.estimate.high < 1


def test_reference_and_environment_travel_along(loans, catalog):
    content = read_model(catalog.folder(train(spec(), "risk", loans, catalog).ref))
    assert content.reference.rows == 450
    assert {spread.name for spread in content.reference.inputs} == set(content.signature.names)
    assert sum(content.reference.score.counts) == 450
    assert any(package.startswith("xgboost") for package in content.environment.packages)
    assert json.loads(content.training.candidates[1].params)["n_estimators"] == 15


def test_columns_that_say_nothing_do_no_harm(make_features, catalog):
    chance = np.random.default_rng(0)
    signal = chance.normal(size=400)
    features = make_features(
        {
            "signal": pa.array(signal),
            "constant": pa.array(np.ones(400)),
            "missing": pa.array([None] * 400, pa.float64()),
            "no_text": pa.array([None] * 400, pa.string()),
            "many": pa.array([f"city {number}" for number in chance.integers(0, 10_000, 400)]),
        },
        signal + chance.normal(size=400) > 0,
    )
    every = [{"learner": name} for name in ("logistic", "xgboost", "hist_gradient_boosting")]
    content = read_model(catalog.folder(train(spec(candidates=every), "risk", features, catalog).ref))
    cases, scores = scored(catalog, features, content)
    assert roc_auc(cases.label, scores) > 0.7


def test_only_a_constant_column_still_makes_a_model(make_features, catalog):
    chance = np.random.default_rng(0)
    features = make_features({"constant": pa.array(np.ones(300))}, chance.random(300) < 0.3)
    model = train(spec(), "risk", features, catalog)
    assert math.isclose(model.estimate.value, 0.5, abs_tol=0.1)


@pytest.mark.parametrize(
    ("positives", "code", "words"),
    [(0, "one_class", "all 300 training labels are false"), (7, "too_few_cases", "has 7 of 300")],
)
def test_labels_from_which_nothing_can_be_learned_are_named(make_features, catalog, positives, code, words):
    label = np.arange(400) >= 400 - positives
    features = make_features({"x": pa.array(np.arange(400.0))}, label)
    with pytest.raises(InvalidInput, match=words) as caught:
        train(spec(), "risk", features, catalog)
    assert caught.value.code == code


def test_infinite_values_are_refused_with_the_column(make_features, catalog):
    features = make_features({"good": pa.array(np.ones(200)), "ratio": pa.array([np.inf] * 200)}, np.arange(200) % 2)
    with pytest.raises(InvalidInput, match="infinite values in ratio"):
        train(spec(), "risk", features, catalog)


def test_unknown_learners_and_parameters_are_named_with_their_neighbours(loans, catalog):
    with pytest.raises(NotFound, match="no learner is called 'xgbost'"):
        train(spec(candidates=[{"learner": "xgbost"}]), "risk", loans, catalog)
    with pytest.raises(InvalidInput, match="no parameter 'max_dept'") as caught:
        train(spec(candidates=[{"learner": "xgboost", "params": {"max_dept": 3}}]), "risk", loans, catalog)
    assert "'max_depth'" in caught.value.hint


def test_no_test_rows_are_no_obstacle(make_features, catalog):
    chance = np.random.default_rng(0)
    x = chance.normal(size=200)
    features = make_features({"x": pa.array(x)}, x + chance.normal(size=200) > 0, test_share=0.0)
    only = [{"learner": "hist_gradient_boosting", "params": {"max_iter": 10}}]
    content = read_model(catalog.folder(train(spec(candidates=only), "risk", features, catalog).ref))
    assert content.expected.shape == (0,)
