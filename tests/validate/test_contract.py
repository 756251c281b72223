from __future__ import annotations

import pytest

from drivetrain.core import plugins
from drivetrain.core.project import Bound, FairnessGate, GatesSpec, SliceGate
from drivetrain.testing.gates import GateContract


@pytest.mark.parametrize("registered", plugins.names("gates"), scope="class")
class TestBuiltInGates(GateContract):
    @pytest.fixture(autouse=True)
    def _named(self, registered: str) -> None:
        self.registered = registered

    def name(self) -> str:
        return self.registered

    def spec(self) -> GatesSpec:
        bound = Bound(min=0, max=1)
        return GatesSpec(
            roc_auc=bound, average_precision=bound, log_loss=bound, cost=bound, calibration=bound,
            fairness=(FairnessGate(column="age", cuts=(45,)),), slices=SliceGate(min_rows=200),
        )  # fmt: skip
