from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.project import GatesSpec
from drivetrain.validate.performance import headline, performance


def test_the_table_of_decisions_counts_every_test_row(world):
    evidence = world.evidence(GatesSpec())
    flagged, rest = performance(evidence).tables[0].rows
    assert flagged[1] + rest[1] == 1_600
    assert flagged[2] == (evidence.truth & evidence.decision).sum()
    assert flagged[2] + rest[2] == evidence.truth.sum()
    assert flagged[4] == f"{flagged[2] / flagged[1]:.1%}"


def test_the_headline_has_the_cost_and_the_brier_score(world):
    evidence = world.evidence(GatesSpec())
    found = {estimate.name: estimate.value for estimate in headline(evidence)}
    assert found["brier"] == pytest.approx(np.mean((evidence.score - evidence.truth) ** 2))
    assert found["cost"] == pytest.approx(evidence.cost.mean())
