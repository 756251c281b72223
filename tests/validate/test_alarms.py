"""Flags on machines that ran until they failed: what is spared, when, for what price, against the best calendar."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import GatesSpec
from drivetrain.store.cases import Cases
from drivetrain.validate.alarms import alarms

LIVES = np.arange(60, 150, 3)
RULE = {
    "by": "unit", "order": "cycle", "left": "cycles_left", "notice": 5, "horizon": 40,
    "prices": {"inspection": 1, "repair": 10, "failure": 100},
}  # fmt: skip


def evidence(flagged, left=None, **asked):
    """Machines with lives of their own, rows in any order; ``flagged`` says from the rows left which are flagged."""
    shuffled = np.random.default_rng(0).permutation(LIVES.sum())
    unit = np.repeat(np.arange(len(LIVES)), LIVES)[shuffled]
    cycle = np.concatenate([np.arange(life) for life in LIVES])[shuffled]
    ahead = (LIVES[unit] - cycle).astype(float)
    kept = {
        "unit": unit,
        "cycle": cycle,
        "cycles_left": pa.array(ahead if left is None else left(ahead), from_pandas=True),
    }
    cases = Cases(pa.chunked_array([unit]), pa.table({"s": ahead}), ahead <= 30, kept=pa.table(kept))
    spec = GatesSpec.model_validate({"alarms": RULE | asked})
    return SimpleNamespace(test=cases, decision=flagged(ahead), spec=spec, features=SimpleNamespace(kept=tuple(kept)))


def test_flags_in_time_spare_every_failure_and_cost_less_than_the_best_calendar():
    finding = alarms(evidence(lambda left: left <= 30, min_caught=0.9, max_false=0.1))
    caught, wrong, saved = finding.results
    assert (caught.gate, caught.measured.value, caught.verdict) == ("alarms", 1.0, "pass")
    assert "half of them at least 30 before" in caught.detail
    assert (wrong.gate, wrong.measured.value, wrong.verdict) == ("alarms:false", 0.0, "pass")
    assert (saved.gate, saved.verdict) == ("alarms:cost", "pass")
    (table,) = finding.tables
    ours, calendar, never = table.rows
    assert (ours[0], ours[1], ours[-1]) == ("alarms", len(LIVES), 11.0)
    assert calendar[0].startswith("every ")
    assert calendar[-1] - ours[-1] == pytest.approx(saved.measured.value)
    assert (never[1], never[-1]) == (0, 100.0)


def test_an_alarm_that_comes_too_late_spares_nothing():
    caught, saved = alarms(evidence(lambda left: left <= 4, min_caught=0.5)).results
    assert (caught.measured.value, caught.verdict, saved.verdict) == (0.0, "fail", "fail")


def _noisy(left):
    return (left <= 30) | (left % 10 == 0)


def test_flags_that_do_not_last_raise_no_alarm():
    single = {"min_caught": 0.9, "max_false": 0.5}
    _, wrong, _ = alarms(evidence(_noisy, **single)).results
    _, right, _ = alarms(evidence(_noisy, flags=3, of=5, **single)).results
    assert (wrong.measured.value > 3, wrong.verdict) == (True, "fail")
    assert (right.measured.value, right.verdict) == (0.0, "pass")


def test_where_no_machine_failed_nothing_can_be_judged():
    with pytest.raises(InvalidInput, match="no machine of the test part failed"):
        alarms(evidence(lambda left: left <= 30, left=lambda ahead: np.full(len(ahead), np.nan)))


def test_a_column_that_is_not_kept_is_named():
    with pytest.raises(InvalidInput, match="keeps no column 'machine'"):
        alarms(evidence(lambda left: left <= 30, by="machine"))


@pytest.mark.parametrize("wrong", [{"flags": 4, "of": 3}, {"notice": 50}])
def test_rules_that_can_never_hold_are_refused(wrong):
    with pytest.raises(ValueError, match=r"can never be flagged|would ever be in time"):
        GatesSpec.model_validate({"alarms": RULE | wrong})
