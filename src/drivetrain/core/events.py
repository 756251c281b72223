"""What happened, as values. The engine tells every subscriber; a subscriber that fails does not stop a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivetrain.core.loads import SourceAlarm
from drivetrain.core.refs import Ref


class Progress(Protocol):
    """How a stage says how far it is. ``total`` is None while it is not known; ``note`` is what it found so far."""

    def __call__(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell it; cheap enough to be called for every batch or trial."""
        ...


def silent(done: float, total: float | None = None, note: str = "") -> None:
    """A Progress that nobody watches."""


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; ``why`` says what changed since its last result."""

    stage: str
    name: str
    why: str


@dataclass(frozen=True)
class StageProgressed:
    """A stage is that far."""

    stage: str
    name: str
    done: float
    total: float | None
    note: str


@dataclass(frozen=True)
class StageSkipped:
    """A stage had nothing to do; its last result stands."""

    stage: str
    name: str
    why: str
    ref: Ref


@dataclass(frozen=True)
class StageFinished:
    """A stage made an artefact, or nothing that has a ref; ``found`` is the line a person wants to read about it."""

    stage: str
    name: str
    ref: Ref | None
    found: str
    seconds: float


@dataclass(frozen=True)
class StageFailed:
    """A stage stopped with an error."""

    stage: str
    name: str
    code: str
    message: str


@dataclass(frozen=True)
class AlarmRaised:
    """Something about a source is not as expected; the stage went on."""

    stage: str
    name: str
    alarm: SourceAlarm


Event = StageStarted | StageProgressed | StageSkipped | StageFinished | StageFailed | AlarmRaised


class Subscriber(Protocol):
    """Whoever wants to be told: the terminal, the audit trail, a webhook."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...
