from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.project import GatesSpec
from drivetrain.validate.performance import even_points, headline, performance

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


def test_the_table_of_decisions_counts_every_test_row(world):
    evidence = world.evidence(GatesSpec())
    flagged, rest = performance(evidence).tables[0].rows
    assert flagged[1] + rest[1] == 1_600
    assert flagged[2] == (evidence.label & evidence.decision).sum()
    assert flagged[2] + rest[2] == evidence.label.sum()
    assert flagged[4] == f"{flagged[2] / flagged[1]:.1%}"


def test_the_headline_has_the_cost_and_the_brier_score(world):
    evidence = world.evidence(GatesSpec())
    found = {estimate.name: estimate.value for estimate in headline(evidence)}
    assert found["brier"] == pytest.approx(np.mean((evidence.score - evidence.label) ** 2))
    assert found["cost"] == pytest.approx(evidence.cost.mean())
