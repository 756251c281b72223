"""What outcomes say of two releases, by task."""

import pytest

from drivetrain.core.task import Task
from drivetrain.serve.proof import proof_of


@pytest.mark.parametrize(
    ("task", "champion", "challenger", "label", "proof"),
    [
        (Task.YES_NO, 0.8, 0.3, True, (0.8, 0.3, True)),
        (Task.YES_NO, 0.8, 0.3, False, (0.8, 0.3, False)),
        (Task.CLASSES, "card", "loan", "loan", (0.0, 1.0, True)),
        (Task.CLASSES, "card", "card", "a new one", (0.0, 0.0, True)),
        (Task.NUMBER, 400.0, 380.0, 410.0, (1.0, 0.0, True)),
        (Task.NUMBER, 400.0, 420.0, 410.0, (1.0, 1.0, True)),
    ],
)
def test_claims_stand_to_the_outcome(
    task: Task, champion: str | float, challenger: str | float, label: bool | str | float, proof: tuple[float, ...]
) -> None:
    assert proof_of(task, champion, challenger, label) == proof
