"""What is stale, and why: by content, not by clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from drivetrain.core.display import table
from drivetrain.core.errors import NotFound, examples
from drivetrain.core.refs import Ref
from drivetrain.engine.stages import Context, Inputs, Stage, key_of

State = Literal["fresh", "stale", "waiting"]


@dataclass(frozen=True)
class Step:
    """One stage of a plan: ``fresh`` (its result stands), ``stale`` (it will run), ``waiting`` (for one before it)."""

    stage: str
    name: str
    state: State
    why: str
    ref: Ref | None = None


@dataclass(frozen=True)
class Plan:
    """Every stage in order, and whether it would run."""

    steps: tuple[Step, ...]

    @property
    def fresh(self) -> bool:
        """Whether nothing is stale."""
        return all(step.state == "fresh" for step in self.steps)

    def _repr_html_(self) -> str:
        return steps_table("Plan", self.steps)


def steps_table(title: str, steps: Sequence[Step]) -> str:
    """The steps as a table for Jupyter."""
    rows = [(step.stage, step.name, step.state, step.why, step.ref or "") for step in steps]
    return table(title, ("stage", "name", "state", "why", "result"), rows)


def make_plan(stages: tuple[Stage, ...], context: Context) -> Plan:
    """Walk the stages with what is there; the first stale one makes those after it wait."""
    steps: list[Step] = []
    waits_for = ""
    for stage in stages:
        if waits_for and stage.stage != "ingest":
            steps.append(Step(stage.stage, stage.name, "waiting", f"waits for {waits_for}"))
            continue
        inputs = stage.inputs(context)
        step = judge(stage, inputs, context)
        if step.ref is not None and step.state == "fresh":
            context.keep(context.catalog.find(step.ref))
        else:
            waits_for = waits_for or f"{stage.stage} {stage.name}"
        steps.append(step)
    return Plan(tuple(steps))


def judge(stage: Stage, inputs: Inputs, context: Context) -> Step:
    """Whether a stage's result for these inputs exists already, and if not, what changed since its last run."""
    ref = context.catalog.result(key_of(stage, inputs))
    last = context.catalog.stage(stage.stage, stage.name)
    before: Inputs = json.loads(last.inputs) if last else {}
    # A source that holds again what it once held is read again: its table has grown since.
    stands = stage.stage != "ingest" or before == inputs
    if ref is not None and stands and _exists(ref, context):
        return Step(stage.stage, stage.name, "fresh", "nothing changed", ref)
    if last is None:
        return Step(stage.stage, stage.name, "stale", "never ran")
    why = _changes(before, inputs) or "Drivetrain itself changed, or the last run was not finished"
    return Step(stage.stage, stage.name, "stale", why)


def _exists(ref: Ref, context: Context) -> bool:
    try:
        context.catalog.find(ref)
    except NotFound:
        return False
    return True


def _changes(before: Mapping[str, str], now: Inputs) -> str:
    changed = [f"{name} changed" for name in now if name in before and now[name] != before[name]]
    new = [f"{name} is new" for name in now if name not in before]
    gone = [f"{name} is gone" for name in before if name not in now]
    return examples([*changed, *new, *gone])
