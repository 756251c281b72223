"""Running the stages: cache, retry of transient errors, events, and one run at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivetrain.access.policy import check
from drivetrain.core.artifacts import Artifact
from drivetrain.core.errors import DrivetrainError, Transient
from drivetrain.core.events import (
    AlarmRaised,
    Event,
    StageFailed,
    StageFinished,
    StageProgressed,
    StageSkipped,
    StageStarted,
    Subscriber,
)
from drivetrain.engine.plan import Step, judge, steps_table
from drivetrain.engine.reviews import ask
from drivetrain.engine.stages import Context, Stage, key_of
from drivetrain.engine.summary import summary
from drivetrain.ingest.consent import ChangeRefused
from drivetrain.store.locks import held

_FIRST_PAUSE_S = 0.5


@dataclass(frozen=True)
class RunResult:
    """What a run did: each stage with its result and whether it ran, was skipped, or stood already; and the alarms."""

    steps: tuple[Step, ...]
    alarms: tuple[AlarmRaised, ...] = ()

    @property
    def ran(self) -> tuple[Step, ...]:
        """The stages that ran."""
        return tuple(step for step in self.steps if step.state == "stale")

    def _repr_html_(self) -> str:
        return steps_table("Run: stale stages ran, fresh ones were skipped", self.steps)


def run_stages(
    stages: Sequence[Stage], context: Context, subscribers: Sequence[Subscriber], *, force: str = "", tries: int = 3
) -> RunResult:
    """Bring the stages up to date, in order. ``force`` names a stage that runs even when nothing changed.

    A stage that raises Transient is tried again, ``tries`` times in all. Raises Transient while another process runs
    stages of this project, and what a stage raises, after the subscribers were told; what finished before stays.
    """
    alarms: list[AlarmRaised] = []

    def collect(event: Event) -> None:
        if isinstance(event, AlarmRaised):
            alarms.append(event)

    told = (*subscribers, collect)
    with held(context.catalog.state / "lock", "this project"):
        steps = tuple(_bring(stage, context, told, stage.stage == force, tries) for stage in stages)
    return RunResult(steps, tuple(alarms))


def _bring(stage: Stage, context: Context, subscribers: Sequence[Subscriber], forced: bool, tries: int) -> Step:
    inputs = stage.inputs(context)
    step = judge(stage, inputs, context)
    if step.state == "fresh" and forced:
        step = Step(stage.stage, stage.name, "stale", "asked for")
    if step.state == "fresh" and step.ref is not None:
        standing = context.catalog.find(step.ref)
        context.keep(standing)
        _tell(subscribers, StageSkipped(stage.stage, stage.name, step.why, step.ref))
        _watch(stage, context, subscribers, standing, standing)
        return step
    artifact = _run_one(stage, step, context, subscribers, tries)
    before = context.catalog.latest(type(artifact), artifact.name)
    ref = context.catalog.put(artifact, actor=context.actor_name)
    context.catalog.finish(stage.stage, stage.name, key_of(stage, inputs), json.dumps(inputs), ref)
    context.keep(artifact)
    _watch(stage, context, subscribers, artifact, before)
    return replace(step, ref=ref)


def _watch(
    stage: Stage, context: Context, subscribers: Sequence[Subscriber], result: Artifact, before: Artifact | None
) -> None:
    for alarm in stage.watch(result, before, context):
        _tell(subscribers, AlarmRaised(stage.stage, stage.name, alarm))


def _run_one(stage: Stage, step: Step, context: Context, subscribers: Sequence[Subscriber], tries: int) -> Artifact:
    def progress(done: float, total: float | None = None, note: str = "") -> None:
        _tell(subscribers, StageProgressed(stage.stage, stage.name, done, total, note))

    if context.options.signer is not None:
        check(context.options.signer.actor, stage.stage)
    _tell(subscribers, StageStarted(stage.stage, stage.name, step.why))
    started = time.perf_counter()
    try:
        artifact = _retried(lambda: stage.make(context, progress), tries)
    except ChangeRefused as error:
        refused = ask(error, context.catalog, context.actor_name)
        _tell(subscribers, StageFailed(stage.stage, stage.name, refused.code, refused.message))
        raise refused from None
    except DrivetrainError as error:
        _tell(subscribers, StageFailed(stage.stage, stage.name, error.code, error.message))
        raise
    seconds = time.perf_counter() - started
    _tell(subscribers, StageFinished(stage.stage, stage.name, artifact.ref, summary(artifact), seconds))
    return artifact


def _retried(make: Callable[[], Artifact], tries: int) -> Artifact:
    for number in range(tries - 1):
        try:
            return make()
        except Transient:
            time.sleep(_FIRST_PAUSE_S * 2**number)
    return make()


def _tell(subscribers: Sequence[Subscriber], event: Event) -> None:
    for subscriber in subscribers:
        subscriber(event)
