"""What held at earlier origins, as the report says it."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Interval
from drivetrain.core.project import GatesSpec
from drivetrain.store.cases import Cases
from drivetrain.validate.backtest import backtest

EACH, FIRST = 60, date(2011, 1, 7)
ITEMS = np.tile(["bag", "lamp", "mug"], EACH // 3)


def cases(origins, seed):
    days = [FIRST + timedelta(days=28 * origin) for origin in origins for _ in range(EACH)]
    label = np.random.default_rng(seed).normal(size=EACH * len(origins))
    kept = pa.table({"origin": pa.array(days), "revenue": np.ones(len(label))})
    entity = pa.chunked_array([np.tile(ITEMS, len(origins))])
    blocks = np.repeat(np.arange(len(origins)), EACH)
    return Cases(entity, pa.table({"mean_28": label}), label, kept, blocks)


def evidence(gate, wide=2.0):
    """Ten origins of normal errors, the five newest estimated again, and the test part; all answers are 0."""
    train, test = cases(range(10), 1), cases([10], 2)
    rows = np.flatnonzero(train.blocks >= 5)
    interval = Interval(0.9, (0.0,), (-wide,), (wide,))
    ends = np.column_stack([np.full(EACH, -wide), np.full(EACH, wide)])
    return SimpleNamespace(
        spec=GatesSpec.model_validate({"backtest": gate}),
        features=SimpleNamespace(entity="item", kept=("origin", "revenue")),
        content=SimpleNamespace(backtest=np.column_stack([rows, np.zeros(len(rows))]), interval=interval),
        train=train, test=test, truth=test.label, score=np.zeros(EACH), said=SimpleNamespace(ends=ends.T),
    )  # fmt: skip


def test_every_origin_stands_in_the_report_and_their_mean_is_judged():
    found = backtest(evidence({"by": "item", "min_coverage": 0.8, "max_coverage": 0.99, "max_rmse": 1.3}))
    assert [(result.gate, result.verdict) for result in found.results] == [
        ("backtest:coverage", "pass"), ("backtest:rmse", "pass"),
    ]  # fmt: skip
    (table,) = found.tables
    assert [row[0] for row in table.rows] == [str(FIRST + timedelta(days=28 * at)) for at in range(5, 11)]
    assert [row[3] for row in table.rows[:2]] == ["", ""], "the first two are only learned from"
    assert table.header[2] == "RMSE of a item"
    measured = found.results[0].measured
    assert measured.rows == 4
    assert measured.low <= measured.value <= measured.high


def test_an_interval_that_holds_too_little_fails():
    found = backtest(evidence({"min_coverage": 0.89}, wide=0.1))
    assert found.results[0].verdict == "fail"
    assert found.tables[0].rows[-1][3] == f"{np.mean(np.abs(cases([10], 2).label) <= 0.1):.1%}"


def test_a_model_without_earlier_origins_says_what_to_do():
    without = evidence({"min_coverage": 0.8})
    without.content.backtest = None
    with pytest.raises(InvalidInput, match="not estimated at earlier origins"):
        backtest(without)
