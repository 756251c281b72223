"""How wrong two releases that both scored a case were, once its outcome is told, whatever their task."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drivetrain.core.model import Reference
from drivetrain.core.task import Task
from drivetrain.ops.canary import case_loss
from drivetrain.ops.drift import score_spread
from drivetrain.store.segments import Label

Claim = str | float
"""What a release said that an outcome can prove: a probability, the text of a class, an estimate."""


class Proof(NamedTuple):
    """How wrong both were, from 0 to 1: see ``ops.canary.CanaryJudge.outcome``."""

    champion: float
    challenger: float


class Prover:
    """Holds claims against outcomes of one task; ``reference`` is the champion's."""

    def __init__(self, task: Task, reference: Reference) -> None:
        self._task = task
        self._spread = score_spread(reference.score) if task is Task.NUMBER else None

    def proof(self, champion: Claim, challenger: Claim, label: Label) -> Proof:
        """The loss of both claims; NaN where the label is none of this task, because another release had another.

        Of a probability the Brier score; of classes 0 for the right one and 1 for another; of numbers the error as a
        share of the spread of the champion's estimates, at most 1.
        """
        if self._task is Task.CLASSES:
            return Proof(float(champion != label), float(challenger != label))
        if isinstance(label, str):
            return Proof(float("nan"), float("nan"))
        losses = case_loss(np.array([champion, challenger], dtype=np.float64), np.full(2, float(label)), self._spread)
        return Proof(*losses.tolist())
