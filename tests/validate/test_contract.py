from __future__ import annotations

import pytest

from drivetrain.core import plugins
from drivetrain.core.alarms import FalseAlarmGate
from drivetrain.core.project import Bound, FairnessGate, GatesSpec, SliceGate
from drivetrain.core.task import METRICS, Task
from drivetrain.testing.gates import GateContract

ONLY = {"coverage": Task.NUMBER} | {name: task for task, names in METRICS.items() for name in names}
"""Gates that are of one task; log loss is of two, and is judged by the second."""
TOLD = ("alarms", "backtest", "retrieval")
"""What no world of borrowers or parcels has: machines that run until they fail, earlier origins, questions."""
BY_ZONE = FairnessGate(column="zone", max=1)


def _tasks(name: str) -> tuple[Task, ...]:
    if name in ("cost", "custom", "false_alarms"):
        return (Task.YES_NO,)
    if name in ("calibration", "fairness", "log_loss"):
        return (Task.YES_NO, Task.CLASSES)
    return (ONLY[name],) if name in ONLY else tuple(Task)


REGISTERED = [(name, task) for name in plugins.names("gates") if name not in TOLD for task in _tasks(name)]


@pytest.mark.parametrize("registered", REGISTERED, scope="class", ids=str)
class TestBuiltInGates(GateContract):
    @pytest.fixture(autouse=True)
    def _named(self, registered: tuple[str, Task]) -> None:
        self.registered = registered

    def name(self) -> str:
        return self.registered[0]

    def task(self) -> Task:
        return self.registered[1]

    def spec(self) -> GatesSpec:
        bound = Bound(min=0, max=1)
        return GatesSpec(
            **dict.fromkeys((*ONLY, "cost", "calibration"), bound), slices=SliceGate(min_rows=200),
            false_alarms=FalseAlarmGate(max=0.5, worst_tenth=0.9),
            fairness=(FairnessGate(column="age", cuts=(45,)) if self.task() is Task.YES_NO else BY_ZONE,),
        )  # fmt: skip
