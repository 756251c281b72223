"""What somebody bought before a moment, item by item."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.history import DAY, history_of

BOUGHT = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=30)


def test_baskets_days_and_times_are_counted():
    # a basket on day 0 (items 3 and 1), one on day 10 (3 again), one on day 12 (item 2); looked at on day 20
    items, days = np.array([3, 1, 3, 2]), np.array([0, 0, 10, 12])
    found = history_of(items, days * DAY, 20 * DAY)
    assert found.items.tolist() == [1, 2, 3]
    assert found.times.tolist() == [1, 1, 2]
    assert found.days.tolist() == [20, 8, 10]
    assert found.baskets_ago.tolist() == [2, 0, 1]
    assert (found.baskets, found.idle_days, found.days_between) == (3, 8, 6)


def test_nobody_has_an_empty_history():
    found = history_of(np.empty(0, np.intp), np.empty(0, np.int64), DAY)
    assert (len(found), found.baskets) == (0, 0)
    assert np.isnan([found.idle_days, found.days_between]).all()


@given(BOUGHT)
def test_it_is_the_same_in_whatever_order_and_however_often_it_is_told(bought):
    pairs = np.array(bought, dtype=np.int64).reshape(-1, 2)
    plain = history_of(pairs[:, 0], pairs[:, 1] * DAY, 40 * DAY)
    again = np.concatenate([pairs[::-1], pairs])
    other = history_of(again[:, 0], again[:, 1] * DAY, 40 * DAY)
    assert plain.baskets == other.baskets == len({day for _, day in bought})
    for name in ("items", "times", "days", "baskets_ago"):
        assert getattr(plain, name).tolist() == getattr(other, name).tolist()
    for item, times, days in zip(plain.items, plain.times, plain.days, strict=True):
        own = {day for place, day in bought if place == item}
        assert (times, days) == (len(own), 40 - max(own))
