from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.validate.curves import even_points

RISING = st.lists(st.floats(0, 1), min_size=1, max_size=300).map(sorted)


@given(RISING)
def test_drawn_points_are_few_rising_and_keep_the_ends(values):
    x = np.array(values)
    keep = even_points(x, x**2, points=20)
    assert len(keep) <= 20
    assert (np.diff(keep) > 0).all()
    assert x[keep[-1]] == x[-1]
    assert x[keep[0]] == x[0]


def test_steep_parts_of_a_curve_keep_their_points():
    x = np.linspace(0, 1, 10_001)
    y = np.minimum(1, x * 100)
    keep = even_points(x, y, points=50)
    assert 20 < (x[keep] < 0.01).sum() < 30
