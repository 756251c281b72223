"""The error of each series by itself, weighed, and against a naive answer."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.project import GatesSpec
from drivetrain.store.cases import Cases
from drivetrain.validate.series import series

ITEMS = np.repeat(["bag", "lamp", "mug"], 40)


def evidence(*gates, error=(0.5, 1.0, 2.0)):
    """Three series whose RMSE is as said, revenues 1, 1 and 8, and a naive answer that is twice as far off."""
    truth = np.random.default_rng(1).normal(size=120)
    off = np.tile([1.0, -1.0], 60) * np.repeat(error, 40)
    cases = Cases(
        entity=pa.chunked_array([ITEMS]),
        inputs=pa.table({"mean_28": truth + 2 * off}),
        label=truth,
        kept=pa.table({"revenue": np.repeat([1.0, 1.0, 8.0], 40)}),
    )
    features = SimpleNamespace(entity="item", kept=("revenue",))
    spec = GatesSpec.model_validate({"series": gates})
    return SimpleNamespace(test=cases, score=truth + off, features=features, spec=spec)


def test_every_series_counts_alike_or_by_its_weight():
    plain, weighed = series(
        evidence({"by": "item", "max": 1.2}, {"by": "item", "weight": "revenue", "max": 1.2})
    ).results
    assert (plain.gate, plain.verdict, plain.measured.value) == ("series:item", "pass", pytest.approx(3.5 / 3))
    assert (weighed.gate, weighed.verdict, weighed.measured.value) == (
        "series:item*revenue",
        "fail",
        pytest.approx(1.75),
    )
    assert plain.measured.rows == 3
    assert plain.measured.low < plain.measured.value < plain.measured.high


def test_a_naive_answer_must_be_beaten_surely():
    won = series(evidence({"by": "item", "max": 9, "beats": "mean_28"})).results[1]
    assert (won.gate, won.verdict, won.measured.value) == ("series:item:beats", "pass", pytest.approx(3.5 / 3))
    lost = evidence({"by": "item", "max": 9, "beats": "mean_28"})
    lost.score = lost.score * 50
    assert series(lost).results[1].verdict == "fail"


def test_a_column_that_is_not_there_fails_that_gate_alone():
    missing, there = series(evidence({"by": "shop", "max": 1}, {"by": "item", "max": 9})).results
    assert (missing.verdict, there.verdict) == ("fail", "pass")
    assert "no column 'shop'" in missing.detail
