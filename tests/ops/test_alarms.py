"""Alarms counted by the run, by hand and against a slow way of counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.alarms import Prices, changed, persistent, standing, tally

PRICES = Prices(inspection=1, repair=10, failure=100)


@st.composite
def fleets(draw):
    """Runs of several machines: whose row, time to failure (some never fail in the record), and flags."""
    run, left = [], []
    for number in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, 12))
        run += [number] * length
        left += list(range(length - 1, -1, -1)) if draw(st.booleans()) else [np.inf] * length
    flags = draw(st.lists(st.booleans(), min_size=len(run), max_size=len(run)))
    return np.array(run), np.array(left, dtype=np.float64), np.array(flags)


@given(fleets(), st.integers(1, 4), st.integers(1, 4))
def test_persistence_looks_back_in_its_own_run_only(fleet, k, n):
    run, _, flag = fleet
    if k > n:
        with pytest.raises(InvalidInput, match="can never be up"):
            persistent(run, flag, k, n)
        return
    slow = [
        sum(flag[at] for at in range(max(0, row - n + 1), row + 1) if run[at] == run[row]) >= k
        for row in range(len(run))
    ]
    assert persistent(run, flag, k, n).tolist() == slow


@given(fleets(), st.integers(0, 5), st.integers(0, 12))
def test_a_tally_is_that_of_walking_through_every_run(fleet, notice, horizon):
    run, left, alarm = fleet
    inspections, leads, failures = 0, [], 0
    for machine in np.unique(run):
        rows = np.flatnonzero(run == machine)
        failures += bool(np.isfinite(left[rows]).any())
        before = False
        for row in rows:
            if alarm[row] and not before:
                inspections += 1
                if notice <= left[row] <= horizon:
                    leads.append(left[row])
                    break
            before = alarm[row]
    found = tally(run, left, alarm, notice=notice, horizon=horizon)
    assert (found.failures, found.inspections, found.leads) == (failures, inspections, tuple(leads))
    assert found.caught <= min(found.failures, found.inspections)


def test_what_alarms_cost_by_hand():
    run = np.array([0] * 5 + [1] * 5 + [2] * 3)
    left = np.array([4, 3, 2, 1, 0, 4, 3, 2, 1, 0, *[np.inf] * 3], dtype=np.float64)
    alarm = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0], dtype=bool)
    found = tally(run, left, alarm, notice=1, horizon=3)
    assert (found.failures, found.caught, found.inspections, found.false_alarms, found.leads) == (2, 1, 3, 2, (2.0,))
    assert found.cost(PRICES) == 3 * 1 + 1 * 10 + 1 * 100


def walked(flags, k, n):
    """Whether an alarm stands after each flag of one machine, by walking along."""
    stands, found = False, []
    for at in range(len(flags)):
        up = sum(flags[max(0, at - n + 1) : at + 1])
        stands = up >= k or (stands and up > 0)
        found.append(int(stands))
    return found


@given(fleets(), st.integers(1, 3), st.integers(3, 5), st.integers(0, 12))
def test_an_alarm_stands_until_no_flag_is_left_and_what_is_not_seen_is_not_guessed(fleet, k, n, hidden):
    run, _, flag = fleet
    all_of_it = np.concatenate([walked(flag[run == machine].tolist(), k, n) for machine in np.unique(run)])
    assert standing(run, flag, k, n, whole=True).tolist() == all_of_it.tolist()
    some = standing(run[hidden:], flag[hidden:], k, n, whole=False)
    assert all(said in (-1, true) for said, true in zip(some, all_of_it[hidden:], strict=True))
    if len(np.unique(run)) == 1 and not flag[hidden:].any():
        assert (some[n - 1 :] == 0).all()


def test_an_alarm_changes_where_it_is_raised_and_where_it_is_cleared():
    run = np.array([0, 0, 0, 0, 1, 1])
    stands = np.array([0, 1, 1, 0, 1, 1], dtype=np.int8)
    assert np.flatnonzero(changed(run, stands)).tolist() == [1, 3, 4]


def test_no_rows_are_no_alarms():
    nothing = tally(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=bool), notice=0, horizon=1)
    assert (nothing.failures, nothing.inspections, nothing.leads) == (0, 0, ())
