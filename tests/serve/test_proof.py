"""How wrong two releases were, by task."""

import math

import pytest

from drivetrain.core.model import Distribution, Reference
from drivetrain.core.task import Task
from drivetrain.serve.proof import Prover

SPREAD = Distribution("score", (0.0, 50.0, 100.0), (1, 1, 1, 1), 0)
REFERENCE = Reference(4, (), SPREAD, SPREAD, 50.0)


@pytest.mark.parametrize(
    ("task", "champion", "challenger", "label", "losses"),
    [
        (Task.YES_NO, 0.8, 0.3, True, (0.04, 0.49)),
        (Task.YES_NO, 0.8, 0.3, False, (0.64, 0.09)),
        (Task.CLASSES, "card", "loan", "loan", (1.0, 0.0)),
        (Task.CLASSES, "card", "card", "a new one", (1.0, 1.0)),
        (Task.NUMBER, 400.0, 380.0, 410.0, (0.1, 0.3)),
        (Task.NUMBER, 400.0, 9000.0, 410.0, (0.1, 1.0)),
    ],
)
def test_claims_are_wrong_by_so_much(
    task: Task, champion: str | float, challenger: str | float, label: bool | str | float, losses: tuple[float, ...]
) -> None:
    assert Prover(task, REFERENCE).proof(champion, challenger, label) == pytest.approx(losses)


def test_a_label_of_another_task_proves_nothing() -> None:
    assert all(map(math.isnan, Prover(Task.NUMBER, REFERENCE).proof(1.0, 2.0, "card")))
