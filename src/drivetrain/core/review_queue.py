"""The review queue: which predictions wait for a person, and what that person is shown of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from drivetrain.core.model import CLASS, DecisionRule
from drivetrain.core.task import Task

Value = str | float | bool | None
Label = bool | str | float
_NOT_SURE = ("rejection", "hand_over", "threshold")


@dataclass(frozen=True)
class Waiting:
    """Which predictions wait: those decided so, and those whose score lies in a band; of the last ``days``."""

    decision: bool | None
    score: tuple[float, float] | None
    days: float


@dataclass(frozen=True)
class ReviewRule:
    """What a project says of its queue; see ``core.service.ReviewSpec``."""

    decision: bool | None = None
    score: tuple[float, float] | None = None
    looks_back_days: float = 30.0
    keys: tuple[str, ...] = ()

    def waiting(self, rule: DecisionRule, task: Task) -> Waiting | None:
        """Which predictions of a model with this decision rule wait; None where none ever does."""
        decision = self.decision
        if decision is None and task is Task.CLASSES and rule.kind in _NOT_SURE:
            decision = False
        elif decision is None and rule.kind == "limit":
            decision = True
        if decision is None and self.score is None:
            return None
        return Waiting(decision, self.score, self.looks_back_days)

    def whose(self, caller: str) -> str | None:
        """Whose predictions a caller may see and answer: their own; None stands for everybody's."""
        return None if caller in self.keys else caller


class Case(msgspec.Struct, frozen=True, kw_only=True, rename={"said": CLASS}):
    """A prediction that waits, and what the model thinks: score, decision, and the outputs of its task."""

    id: str
    at: datetime
    release: str
    caller: str
    entity: str | None
    score: float
    decision: bool
    said: str | None = None
    low: float | None = None
    high: float | None = None
    rule: str | None = None


class Answered(msgspec.Struct, frozen=True):
    """What a person said was true, when, and who it was: the name of their key, or of an actor."""

    label: Label
    at: datetime
    by: str


class WholeCase(Case, frozen=True, kw_only=True):
    """The same with what the model was given, and the answer if there is one. A free text is not kept.

    ``event`` is what was sent where the server makes the inputs of it.
    """

    inputs: dict[str, Value]
    event: dict[str, Value] | None = None
    answer: Answered | None = None
