"""A model without labels: no label moves a byte of it, and what it scores is a place among usual rows."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.decision import CapacityDecision
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.project import Candidate, ModelSpec
from drivetrain.store.cases import read_cases
from drivetrain.store.models import read_model
from drivetrain.train.train import train

ODD = 0.02
SPEC = ModelSpec(decision=CapacityDecision(kind="capacity", share=0.05), tracking="off")


@pytest.fixture
def readings(make_features):
    """Readings of two sensors and a mode; one in fifty comes from a machine that shakes. Whose label, the test says."""
    draw = np.random.default_rng(3)
    shakes = draw.random(2_000) < ODD
    heat = draw.normal(60, 2, 2_000) + 15 * shakes
    columns = {
        "heat": pa.array(np.where(draw.random(2_000) < 0.02, np.nan, heat), from_pandas=True),
        "speed": pa.array(draw.integers(900, 1_100, 2_000) + 200 * shakes),
        "mode": pa.array(draw.choice(["run", "idle"], 2_000).tolist()),
    }
    return lambda label: replace(make_features(columns, shakes if label else draw.random(2_000) < 0.5), blind=True)


def test_no_label_moves_a_byte_of_it(readings, catalog):
    with_truth, with_lots = (train(SPEC, "odd", readings(label), catalog) for label in (True, False))
    named = [{file.path: file.sha256 for file in model.files} for model in (with_truth, with_lots)]
    assert named[0] == named[1]


def test_the_score_is_a_place_among_usual_rows(readings, catalog):
    features = readings(True)
    content = read_model(catalog.folder(train(SPEC, "odd", features, catalog).ref))
    test = read_cases(catalog, features, "test")
    shakes, flagged = test.label, content.expected >= content.decision.threshold
    assert content.decision.capacity == 0.05
    assert flagged.mean() == pytest.approx(0.05, abs=0.03)
    assert flagged[shakes].all()
    assert np.mean(content.expected[~shakes] >= 0.9) == pytest.approx(0.1 - ODD, abs=0.04)


def test_it_says_what_it_is_made_of_and_how_far_that_is_chance(readings, catalog):
    model = train(SPEC, "odd", readings(True), catalog)
    content = read_model(catalog.folder(model.ref))
    assert content.signature.blind
    assert (model.learner, model.estimate.name) == ("distance + isolation_forest", "agreement")
    assert 0.5 < model.estimate.value <= 1.0
    assert "no label was read" in content.training.protocol
    assert [one.name for one in content.training.candidates] == ["distance", "isolation_forest"]


def test_a_person_may_say_which_and_how(readings, catalog):
    only = SPEC.model_copy(update={"candidates": (Candidate(learner="isolation_forest", params={"n_estimators": 20}),)})
    model = train(only, "odd", readings(True), catalog)
    assert model.learner == "isolation_forest"
    assert '"n_estimators":20' in read_model(catalog.folder(model.ref)).training.candidates[0].params


@pytest.mark.parametrize(
    ("learner", "params", "error", "told"),
    [
        ("xgboost", {}, NotFound, "no detector is called 'xgboost'"),
        ("distance", {"knots": 3}, InvalidInput, "distance has no parameter 'knots'"),
    ],
)
def test_who_needs_labels_is_refused(readings, catalog, learner, params, error, told):
    spec = SPEC.model_copy(update={"candidates": (Candidate(learner=learner, params=params),)})
    with pytest.raises(error, match=told):
        train(spec, "odd", readings(True), catalog)
