"""Earlier origins: estimated by models that saw only what came before, and kept in the model."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task
from drivetrain.store.cases import BLOCK, read_cases
from drivetrain.store.models import model_from, read_model
from drivetrain.store.tables import Commit, Table
from drivetrain.train.train import train

ORIGINS, EACH = 8, 120


@pytest.fixture
def rising(make_features, catalog):
    """A label that rises from moment to moment; what knows the moments to come answers higher."""
    chance = np.random.default_rng(0)
    moment = np.arange(ORIGINS * EACH) // EACH
    wide = chance.normal(size=len(moment))
    label = 10.0 * moment + wide + chance.normal(0, 0.1, len(moment))
    made = make_features({"wide": pa.array(wide)}, label, task=Task.NUMBER)
    table = Table(catalog.table_path("features", made.name))
    rows = table.read().append_column(BLOCK, pa.array(moment))
    return replace(made, version=table.overwrite(rows, Commit("", "blocks", len(rows))), blocks="moments")


def content_of(features, catalog, **changes):
    told = {"candidates": [{"learner": "linear"}], "budget": {"trials": 1}, "tracking": "off"} | changes
    model = train(ModelSpec.model_validate(told), "things", features, catalog)
    return read_model(catalog.folder(model.ref))


def test_an_origin_is_estimated_by_what_came_before_it(rising, catalog):
    content = content_of(rising, catalog, origins=3)
    cases = read_cases(catalog, rising, "train")
    rows, answer = content.backtest[:, 0].astype(int), content.backtest[:, 1]
    assert np.unique(cases.blocks[rows]).tolist() == [5, 6, 7]
    assert len(rows) == int((cases.blocks >= 5).sum())
    for moment in (5, 6, 7):
        before = cases.label[cases.blocks < moment].mean()
        assert answer[cases.blocks[rows] == moment].mean() == pytest.approx(before, abs=2.0)


def test_the_interval_stands_on_the_origins(rising, catalog):
    plain, rolled = content_of(rising, catalog), content_of(rising, catalog, origins=3)
    assert plain.backtest is None
    assert np.mean(rolled.interval.high) > np.mean(plain.interval.high) + 5, "what rises lies above what was known"
    assert rolled.interval.coverage == 0.9


def test_the_same_bytes_come_back(rising, catalog):
    content = content_of(rising, catalog, origins=2)
    assert model_from(content.files(), "here").files() == content.files()
    assert content_of(rising, catalog, origins=2).files() == content.files()


@pytest.mark.parametrize(("blocks", "found"), [("moments", 8), ("none", 0)])
def test_more_origins_than_there_are_moments_are_refused(rising, catalog, blocks, found):
    with pytest.raises(InvalidInput, match=f"the training part has {found}") as refused:
        content_of(replace(rising, blocks=blocks), catalog, origins=8)
    assert refused.value.code == "origins_too_many"
