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
        kept=pa.table({"revenue": np.repeat([1.0, 1.0, 8.0], 40), "life": np.repeat(["old", "old", "new"], 40)}),
    )
    features = SimpleNamespace(entity="item", kept=("revenue", "life"))
    spec = GatesSpec.model_validate({"series": gates})
    said = SimpleNamespace(ends=(truth + off - 1.1, truth + off + 1.1))
    return SimpleNamespace(test=cases, score=truth + off, features=features, spec=spec, said=said)


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


def test_only_some_rows_are_judged_and_slices_show_all():
    gate = {"by": "item", "max": 0.8, "only": {"life": "old"}, "slices": ["life"], "beats": "mean_28"}
    found = series(evidence(gate))
    judged, beaten = found.results
    assert (judged.verdict, judged.measured.value, judged.measured.rows) == ("pass", pytest.approx(0.75), 2)
    assert beaten.measured.value == pytest.approx(0.75)
    (table,) = found.tables
    assert table.header == ("life", "series", "RMSE of a item", "of mean_28", "in the interval")
    new, old = table.rows
    assert (new[0], new[1], new[2][:5], new[3]) == ("new", 1, "2.000", pytest.approx(4.0))
    assert new[4].startswith("0.0%")
    assert (old[0], old[1], old[2][:5]) == ("old", 2, "0.750")
    assert old[4].startswith("100.0%")


def test_rows_that_are_not_there_cannot_be_judged():
    (failed,) = series(evidence({"by": "item", "max": 9, "only": {"life": "older"}})).results
    assert (failed.verdict, failed.measured) == ("fail", None)
    assert "no test row is as `only` says" in failed.detail
