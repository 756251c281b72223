"""What the outcome of a case says of two releases that both scored it, whatever their task, in the judge's terms."""

from __future__ import annotations

from typing import NamedTuple

from drivetrain.core.task import Task
from drivetrain.store.segments import Label

Claim = str | float
"""What a release said that an outcome can prove: a probability, the text of a class, an estimate."""


class Proof(NamedTuple):
    """Two probabilities, and what was true: see ``ops.canary.CanaryJudge.outcome``."""

    champion: float
    challenger: float
    label: bool


def proof_of(task: Task, champion: Claim, challenger: Claim, label: Label) -> Proof:
    """How the two claims stand to the outcome.

    A probability is what it is. Of classes it is 1 for the right one and 0 for another. Of numbers the nearer estimate
    gets 1 and the farther one 0, both 1 where they are equally near: a sign test, which needs no unit.
    """
    if task is Task.YES_NO:
        return Proof(float(champion), float(challenger), bool(label))
    if task is Task.CLASSES:
        return Proof(float(champion == label), float(challenger == label), True)
    ours, theirs = (abs(float(claim) - float(label)) for claim in (champion, challenger))
    return Proof(float(ours <= theirs), float(theirs <= ours), True)
