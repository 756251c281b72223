"""The place of a row among usual rows: false alarms as rare as was asked, and no tie beyond the oddest usual row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.ranks import fit_rank

SEEDS = st.integers(0, 2**32 - 1)


def _odd(seed, rows=2_000):
    return np.random.default_rng(seed).normal(3.0, 0.5, rows)


def test_false_alarms_are_as_rare_as_was_asked():
    rates = [np.mean(fit_rank(_odd(seed)).apply(_odd(seed + 1_000)) >= 0.95) for seed in range(50)]
    assert np.mean(rates) == pytest.approx(0.05, abs=0.005)


@given(SEEDS)
def test_odder_is_never_a_lower_share(seed):
    link = fit_rank(_odd(seed, 60))
    shares = link.apply(np.linspace(-10, 40, 300))
    assert (np.diff(shares) >= 0).all()
    assert ((shares >= 0) & (shares < 1)).all()


@given(SEEDS)
def test_beyond_the_oddest_usual_row_odder_is_still_higher(seed):
    odd = _odd(seed)
    assert (np.diff(fit_rank(odd).apply(odd.max() + np.array([0.0, 0.1, 1.0, 10.0, 1e4]))) > 0).all()


def test_rows_that_are_all_alike_leave_room_for_what_is_not():
    link = fit_rank(np.full(50, 2.0))
    assert link.apply(np.array([1.0, 2.0, 3.0])) == pytest.approx([0.0, 0.0, 0.5])


def test_too_few_rows_do_not_say_what_is_usual():
    with pytest.raises(InvalidInput, match="do not say what is usual"):
        fit_rank(np.arange(5.0))
