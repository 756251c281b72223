"""NDCG by hand, and what it must not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.ranking import ndcg, places_of

GAIN = [1 / np.log2(place + 2) for place in range(4)]


def test_by_hand():
    # first group: right at places 0 and 2 of three; second: wrong before right, and one more that was never a row
    score = np.array([0.9, 0.5, 0.7, 0.2, 0.1])
    right = np.array([True, True, False, False, True])
    found = ndcg(score, right, np.array([0, 0, 0, 1, 1]), np.array([2.0, 2.0, 0.0]), at=10)
    assert found[0] == pytest.approx((GAIN[0] + GAIN[2]) / (GAIN[0] + GAIN[1]))
    assert found[1] == pytest.approx(GAIN[1] / (GAIN[0] + GAIN[1]))
    assert np.isnan(found[2])  # nothing was right, so no order is good or bad


def test_only_the_first_places_count():
    score, right = np.arange(20.0)[::-1], np.arange(20) >= 10
    assert ndcg(score, right, np.zeros(20, np.int64), np.array([10.0]), at=10)[0] == 0
    assert ndcg(-score, right, np.zeros(20, np.int64), np.array([10.0]), at=10)[0] == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), min_size=1, max_size=40), st.data())
def test_rows_may_stand_in_any_order_and_a_right_one_moved_up_never_costs(rows, data):
    groups, score, right = (np.array(values) for values in zip(*rows, strict=True))
    groups = np.unique(groups, return_inverse=True)[1]
    score = score + np.arange(len(score)) * 1e-3  # no two alike
    wanted = np.bincount(groups, right).astype(float)
    found = ndcg(score, right, groups, wanted, 5)
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    assert np.allclose(found, ndcg(score[order], right[order], groups[order], wanted, 5), equal_nan=True)
    better = ndcg(score + 10 * right, right, groups, wanted, 5)
    assert (better[wanted > 0] == pytest.approx(1.0)) if (wanted > 0).any() else True
    assert (np.bincount(groups, places_of(score, groups)) == [n * (n - 1) / 2 for n in np.bincount(groups)]).all()
