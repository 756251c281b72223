from __future__ import annotations

import pytest

from drivetrain.core.project import GatesSpec, LatencyGate
from drivetrain.validate.latency import latency


@pytest.mark.parametrize(("limit", "verdict"), [(10_000, "pass"), (1e-6, "fail")])
def test_the_ninety_ninth_percentile_decides_and_is_marked_as_timed(world, limit, verdict):
    (result,) = latency(world.evidence(GatesSpec(latency=LatencyGate(p99_ms=limit)))).results
    assert (result.verdict, result.timed) == (verdict, True)
    assert 0 < result.measured.low <= result.measured.value <= result.measured.high
    assert "p50" in result.detail
