from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from fairlearn.metrics import demographic_parity_difference, equal_opportunity_difference, equalized_odds_difference

from drivetrain.core.project import FairnessGate, GatesSpec
from drivetrain.store.pages import Mark
from drivetrain.validate.fairness import fairness

OFFICIAL = {
    "equal_opportunity": equal_opportunity_difference,
    "demographic_parity": demographic_parity_difference,
    "equalized_odds": equalized_odds_difference,
}


def _only(world, **gate):
    return fairness(world.evidence(GatesSpec(fairness=(FairnessGate(**gate),))))


@pytest.mark.parametrize("measure", list(OFFICIAL))
def test_the_difference_is_fairlearns(world, measure):
    evidence = world.evidence(GatesSpec(fairness=(FairnessGate(column="age", cuts=(60, 30), measure=measure),)))
    groups = np.searchsorted([30, 60], evidence.packed[:, 1], side="right")
    (result,) = fairness(evidence).results
    official = OFFICIAL[measure](evidence.truth, evidence.decision, sensitive_features=groups)
    assert result.measured.value == pytest.approx(official)
    assert result.measured.low <= result.measured.value <= result.measured.high


def test_the_limit_decides(world):
    measured = _only(world, column="age", cuts=(45,), max=1).results[0].measured.value
    assert _only(world, column="age", cuts=(45,), max=measured + 0.01).results[0].verdict == "pass"
    (result,) = _only(world, column="age", cuts=(45,), max=measured - 0.01).results
    assert result.verdict == "fail"
    assert "least for age ≥ 45, greatest for age < 45" in result.detail


@pytest.mark.parametrize(
    ("column", "groups"),
    [("region", {"north", "east", "south", "missing"}), ("owner", {"true", "false"})],
)
def test_groups_are_the_values_of_any_input(world, column, groups):
    (table,) = _only(world, column=column, max=1).tables
    assert {str(row[0]).split()[-1] for row in table.rows} == groups
    assert sum(row[1] for row in table.rows) == 1_600


def test_a_small_group_is_shown_but_not_judged(own_world, loans):
    region = loans["region"].to_pylist()
    for row in range(0, 200, 25):
        region[row] = "atoll"
    world = own_world(loans.set_column(loans.column_names.index("region"), "region", pa.array(region)))
    finding = _only(world, column="region", max=1)
    marks = {row[0]: row[-1] for row in finding.tables[0].rows}
    assert marks["region = atoll"] == Mark("warn", "too few cases")
    assert marks["region = north"] == "yes"
    assert "too small to judge: region = atoll" in finding.results[0].detail
    assert "region = atoll" not in finding.charts[0].series[0].labels


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"column": "agee"}, "there is no input 'agee'"),
        ({"column": "region", "cuts": (1,)}, "no number"),
        ({"column": "income"}, "groups; give `cuts`"),
        ({"column": "age", "cuts": (1_000,)}, "fewer than two groups"),
    ],
)
def test_a_gate_that_cannot_be_judged_fails_with_the_reason_and_hides_no_other(world, gate, reason):
    good = FairnessGate(column="owner", max=1)
    first, second = fairness(world.evidence(GatesSpec(fairness=(FairnessGate(**gate), good)))).results
    assert (first.verdict, second.verdict) == ("fail", "pass")
    assert reason in first.detail


def test_of_classes_groups_are_answered_and_right_alike(carriers):
    gates = tuple(FairnessGate(column="zone", measure=name) for name in ("equal_opportunity", "demographic_parity"))
    evidence = carriers.evidence(GatesSpec(fairness=gates))
    zones = np.array(evidence.test.inputs["zone"].to_pylist())
    finding = fairness(evidence)
    counted = (evidence.came_true, evidence.decision)
    for result, cases in zip(finding.results, counted, strict=True):
        shares = [cases[zones == zone].mean() for zone in np.unique(zones)]
        assert result.measured.value == pytest.approx(np.ptp(shares))
    assert finding.tables[0].header == ("group", "cases", "right", "answered", "judged")
