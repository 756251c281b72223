"""The order of choices, held to a bound and to a naive order; what is no row is missed."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.project import GatesSpec
from drivetrain.store.cases import Cases
from drivetrain.validate.ranking import ranking

PLAIN = {"by": "customer", "wanted": "wanted", "min": 0.5}


def evidence(*gates, score=None, wanted=1.0):
    """Forty customers with five choices each; the first is the right one, and nobody bought it before."""
    right = np.tile([True, False, False, False, False], 40)
    cases = Cases(
        entity=pa.chunked_array([[f"p{at}" for at in range(200)]]),
        inputs=pa.table({"popular": np.tile([1.0, 5.0, 4.0, 3.0, 2.0], 40)}),
        label=right,
        kept=pa.table(
            {
                "customer": np.repeat([f"c{at}" for at in range(40)], 5),
                "item": np.tile(list("abcde"), 40),
                "wanted": np.full(200, wanted),
                "is_new": np.tile([True, False, True, False, False], 40),
            }
        ),
    )
    features = SimpleNamespace(entity="pair", kept=("customer", "item", "wanted", "is_new"))
    spec = GatesSpec.model_validate({"ranking": gates})
    return SimpleNamespace(test=cases, score=right * 1.0 if score is None else score, features=features, spec=spec)


def test_the_best_order_is_one_and_what_is_no_row_is_missed():
    (best,) = ranking(evidence(PLAIN)).results
    assert (best.gate, best.verdict, best.measured.value, best.measured.rows) == ("ranking:customer", "pass", 1.0, 40)
    (missed,) = ranking(evidence(PLAIN, wanted=10)).results
    assert missed.measured.value == pytest.approx(1 / sum(1 / np.log2(place + 2) for place in range(10)))
    assert missed.verdict == "fail"
    assert "10.0% was there" in missed.detail


def test_a_naive_order_must_be_beaten_surely():
    won = ranking(evidence(PLAIN | {"beats": "popular"})).results[1]
    assert (won.gate, won.verdict) == ("ranking:customer:beats", "pass")
    lost = ranking(evidence(PLAIN | {"beats": "popular"}, score=np.tile([1.0, 5.0, 4.0, 3.0, 2.0], 40))).results[1]
    assert (lost.verdict, lost.measured.value) == ("fail", 0)


def test_only_some_rows_may_count():
    second = np.tile([2.0, 9.0, 1.0, 9.0, 9.0], 40)  # right, among the new ones
    (some,) = ranking(evidence(PLAIN | {"only": "is_new"}, score=second)).results
    assert (some.gate, some.measured.value) == ("ranking:customer/is_new", 1.0)


def test_the_report_tells_how_much_of_the_catalogue_is_shown():
    (table,) = ranking(evidence(PLAIN | {"choice": "item", "at": 1})).tables
    assert [row[1] for row in table.rows][:2] == [5, 1]


def test_a_column_that_is_not_there_fails_that_gate_alone():
    missing, there = ranking(evidence(PLAIN | {"wanted": "none"}, PLAIN)).results
    assert (missing.verdict, there.verdict) == ("fail", "pass")
    assert "no column 'none'" in missing.detail
