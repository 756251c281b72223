"""Models of several classes and of numbers: what is learned, exported and said."""

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.decision import HandOverDecision, LimitDecision, RejectionDecision
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import UNKNOWN
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import measure
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_cases
from drivetrain.store.models import Scorer, read_model
from drivetrain.train.train import train

QUICK = (
    {"learner": "hist_gradient_boosting", "params": {"max_iter": 15}},
    {"learner": "xgboost", "params": {"n_estimators": 15}},
)
ROWS = 900


def columns(chance):
    return {
        "wide": pa.array(np.exp(chance.normal(0, 1, ROWS))),
        "count": pa.array(chance.poisson(2.0, ROWS)),
        "home": pa.array(chance.choice(["rent", "own", "mortgage"], ROWS).tolist()),
    }


def saying(content):
    return Saying(content.signature, content.decision, content.interval)


def amounts(chance, given):
    odds = np.log(given["wide"].to_numpy()) + 0.5 * given["count"].to_numpy()
    return odds + (np.array(given["home"].to_pylist()) == "rent") + chance.normal(0, 0.3, ROWS)


def trained(features, catalog, learner, **changes):
    told = {"candidates": [{"learner": learner}, *QUICK], "budget": {"trials": 5}, "tracking": "off"}
    model = train(ModelSpec.model_validate(told | changes), "things", features, catalog)
    content = read_model(catalog.folder(model.ref))
    cases = read_cases(catalog, features, "test")
    answer = Scorer(content.graph).score(pack(content.signature, cases.inputs))
    return model, content, cases, answer


def test_classes_from_features_to_what_is_said(make_features, catalog):
    chance = np.random.default_rng(0)
    given = columns(chance)
    names = np.array(["low", "middle", "high", "rare"])
    label = names[np.digitize(amounts(chance, given), [0.5, 2.0, 5.2])]
    features = make_features(given, label, task=Task.CLASSES)
    share = RejectionDecision(kind="rejection", share=0.1)
    model, content, cases, answer = trained(features, catalog, "logistic", decision=share)
    assert answer.shape == (len(cases), 4)
    assert answer.sum(axis=1) == pytest.approx(np.ones(len(cases)))
    assert np.abs(answer - content.expected).max() <= 1e-6
    assert measure("accuracy", cases.label, answer) > 0.7
    assert model.estimate.name == "accuracy"
    said = saying(content).say_alone(answer)
    assert said.decision.mean() == pytest.approx(0.9, abs=0.06)
    right = (
        np.array(content.signature.classes)[said.outputs[:, 0].astype(int)] == np.array(features.classes)[cases.label]
    )
    assert right[said.decision].mean() > right[~said.decision].mean()
    assert sum(content.reference.label.counts) == content.reference.rows
    assert sum(content.reference.outputs[0].counts) == content.reference.rows


def test_two_classes_are_classes_too(make_features, catalog):
    chance = np.random.default_rng(1)
    given = columns(chance)
    label = np.where(amounts(chance, given) > 1.0, "big", "small")
    costs = HandOverDecision(kind="hand_over", wrong=10, person=1)
    _, content, cases, answer = trained(
        make_features(given, label, task=Task.CLASSES), catalog, "logistic", decision=costs, metric="log_loss"
    )
    assert answer.shape == (len(cases), 2)
    assert measure("accuracy", cases.label, answer) > 0.8
    assert 0.6 < content.decision.threshold < 1.0, "near 1 - person / wrong where scores are honest"


def test_numbers_come_with_an_interval(make_features, catalog):
    chance = np.random.default_rng(2)
    given = columns(chance)
    label = 1000 * np.exp(amounts(chance, given) / 2)
    limit = LimitDecision(kind="limit", value=2000.0, when="below")
    features = make_features(given, label, task=Task.NUMBER)
    model, content, cases, answer = trained(features, catalog, "linear", decision=limit)
    assert measure("r2", cases.label, answer) > 0.6
    assert (np.abs(answer - content.expected) / np.maximum(1, np.abs(content.expected))).max() <= 1e-6
    said = saying(content).say_alone(answer)
    low, high = said.outputs.T
    assert 0.82 < ((cases.label >= low) & (cases.label <= high)).mean() < 0.97
    assert (said.decision == (answer <= 2000.0)).all()
    assert model.estimate.name == "r2"
    assert content.reference.label_mean == pytest.approx(label.mean(), rel=0.1)
    unknown = np.array([[np.nan, np.nan, UNKNOWN]])
    assert np.isfinite(Scorer(content.graph).score(unknown)).all()


def test_counts_are_learned_with_their_own_losses(make_features, catalog):
    chance = np.random.default_rng(3)
    given = columns(chance)
    label = chance.poisson(np.exp(amounts(chance, given) / 2)).astype(float)
    own = (
        {"learner": "hist_gradient_boosting", "params": {"loss": "poisson", "max_iter": 30}},
        {"learner": "xgboost", "params": {"objective": "reg:tweedie", "n_estimators": 30}},
    )
    _, content, cases, answer = trained(
        make_features(given, label, task=Task.NUMBER), catalog, "linear", candidates=own, metric="rmse"
    )
    assert (answer >= 0).all()
    assert measure("r2", cases.label, answer) > 0.25
    assert np.abs(answer - content.expected).max() <= 1e-5


def test_a_learner_that_does_not_know_the_task_is_refused(make_features, catalog):
    chance = np.random.default_rng(4)
    given = columns(chance)
    features = make_features(given, amounts(chance, given), task=Task.NUMBER)
    with pytest.raises(InvalidInput, match="logistic does not learn `number`; it learns classes, yes_no"):
        trained(features, catalog, "logistic")
