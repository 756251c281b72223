"""The gate of robustness: what becomes of the model when the data that reach it are wrong.

A fault strikes a share of the rows in one column at a time: the field is missing, its unit is wrong (a thousand times
too much or too little), it lies outside what training saw, it is noisy, it is a text that training did not know. No
fault, however great, may make an answer that is none: no finite number, or no probability where that was promised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import UNKNOWN, InputField
from drivetrain.core.project import RobustnessGate
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Metric, Task
from drivetrain.ops.intervals import bootstrap_difference
from drivetrain.ops.metrics import Numbers, higher_is_better, measure
from drivetrain.store.pages import Mark, Table
from drivetrain.validate.evidence import Evidence, score_in_batches
from drivetrain.validate.gates import Finding, asked

_ROWS = 10_000
"""Test rows that are enough: a drop is measured on the same rows before and after, so it needs few."""
_HOSTILE_ROWS = 100
_HUGE = {ColumnType.NUMBER: (1e300, -1e300), ColumnType.INTEGER: (2.0**53, -(2.0**53))}
"""Numbers that a service takes: anything JSON can say, and integers that a float64 holds exactly."""
_SHOWN = 12
_SOUND = {Task.YES_NO: "a probability", Task.CLASSES: "a probability", Task.NUMBER: "a finite number"}
_MOST = {Task.YES_NO: 0.05, Task.CLASSES: 0.05, Task.NUMBER: math.inf}
"""How far the metric may fall where the project file does not say. Metrics of numbers have no end to fall to."""
_ONE = 1e-6
"""How far from one the probabilities of the classes may add up, of a graph in single precision."""
Change = Callable[[Numbers, np.random.Generator], Numbers]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong in one column, at this place of a packed row."""

    column: str
    position: int
    name: str
    change: Change


@dataclass(frozen=True)
class Effect:
    """What a fault did: the answers to all rows with it, and how far the metric fell."""

    fault: Fault
    answer: Numbers
    drop: float


def robustness(evidence: Evidence) -> Finding:
    """How far the metric of the gate falls under the worst fault, measured with and without it on the same rows."""
    spec = asked(evidence.spec.robustness)
    metric = evidence.metric(spec.metric)
    rows = np.unique(np.linspace(0, len(evidence.truth) - 1, _ROWS).astype(np.intp))
    truth, clean = evidence.truth[rows], evidence.answer[rows]
    broken = hostile(evidence)
    effects = sorted(_effects(evidence, spec, rows), key=lambda effect: -effect.drop)
    if not effects:
        raise InvalidInput("no_faults", "no column can be given a fault")
    worst = effects[0]
    drop = replace(bootstrap_difference(metric, truth, clean, worst.answer), name=f"{metric} drop")
    detail = f"worst of {len(effects)} faults: {worst.fault.column} {worst.fault.name}, in {spec.share:.0%} of the rows"
    if broken:
        detail = f"the score is not {_SOUND[evidence.task]} when {examples(broken)}"
    most = _MOST[evidence.task] if spec.max_drop is None else spec.max_drop
    verdict: Verdict = "pass" if drop.value <= most and not broken else "fail"
    bound = f"at most {most:g}; " if math.isfinite(most) else ""
    result = GateResult("robustness", verdict, drop, f"{bound}every score {_SOUND[evidence.task]}", detail)
    return Finding((result,), (_table(spec, metric, effects, most),))


def faults_of(field: InputField, position: int, spread: float) -> tuple[Fault, ...]:
    """What may go wrong in a column and still be taken by a service; ``spread`` is how far its values lie apart."""
    changes: dict[str, Change] = {"is missing": _missing} if field.nullable else {}
    if field.type is ColumnType.TEXT:
        changes |= {"is a text not seen in training": _unseen, "is that of another row": _shuffled}
    elif field.type is ColumnType.BOOLEAN:
        changes |= {"is the opposite": _flipped}
    else:
        changes |= {"is a thousand times too much": _times(1000), "is a thousand times too little": _times(0.001)}
        changes |= {"has noise of a tenth of its spread": _noisy(spread / 10)}
        if field.low is not None and field.high is not None:
            changes |= {"is far above its range": _constant(2 * field.high - field.low)}
            changes |= {"is far below its range": _constant(2 * field.low - field.high)}
    whole = field.type is ColumnType.INTEGER
    return tuple(
        Fault(field.name, position, name, _whole(change) if whole else change) for name, change in changes.items()
    )


def hostile(evidence: Evidence) -> list[str]:
    """What makes the model answer with something that is no answer: huge numbers, rows with nothing in them."""
    rows = evidence.packed[:_HOSTILE_ROWS]
    fields = evidence.content.signature.inputs
    nullable = np.array([field.nullable for field in fields], dtype=np.bool_)
    tried = {"every field that may be missing is": np.where(nullable, np.nan, rows)}
    for position, field in enumerate(fields):
        for value in _HUGE.get(field.type, ()):
            tried[f"{field.name} is {value:g}"] = _with(rows, position, np.full(len(rows), value))
    answers = {name: score_in_batches(evidence.scorer, changed) for name, changed in tried.items()}
    return [name for name, answer in answers.items() if not sound(evidence.task, answer)]


def sound(task: Task, answer: Numbers) -> bool:
    """Whether answers ([n], or [n, K] of classes) are what the task promises: numbers, probabilities, those of one."""
    if not np.isfinite(answer).all():
        return False
    if task is Task.NUMBER:
        return True
    whole = answer.ndim == 1 or bool((np.abs(answer.sum(axis=1) - 1.0) <= _ONE).all())
    return whole and bool((answer >= 0).all() and (answer <= 1).all())


def _effects(evidence: Evidence, spec: RobustnessGate, rows: NDArray[np.intp]) -> Iterator[Effect]:
    packed, truth, clean = evidence.packed[rows], evidence.truth[rows], evidence.answer[rows]
    struck = np.random.default_rng(0).random(len(rows)) < spec.share
    metric = evidence.metric(spec.metric)
    before, sign = measure(metric, truth, clean), 1 if higher_is_better(metric) else -1
    for fault in _faults(evidence, packed):
        changed = fault.change(packed[struck, fault.position], np.random.default_rng(0))
        answer = clean.copy()
        answer[struck] = score_in_batches(evidence.scorer, _with(packed[struck], fault.position, changed))
        if not sound(evidence.task, answer):
            told = f"the score is not {_SOUND[evidence.task]} when {fault.column} {fault.name}"
            raise InvalidInput("no_probability", told)
        yield Effect(fault, answer, sign * (before - measure(metric, truth, answer)))


def _faults(evidence: Evidence, packed: Numbers) -> Iterator[Fault]:
    for position, field in enumerate(evidence.content.signature.inputs):
        known = packed[~np.isnan(packed[:, position]), position]
        low, high = np.percentile(known, [5, 95]) if len(known) else (0.0, 0.0)
        yield from faults_of(field, position, float(high - low))


def _table(spec: RobustnessGate, metric: Metric, effects: Sequence[Effect], most: float) -> Table:
    rows = []
    for effect in effects[:_SHOWN]:
        mark = Mark("bad", "too far") if effect.drop > most else Mark("good", "holds")
        rows.append((effect.fault.column, effect.fault.name, effect.drop, mark))
    note = (
        f"The worst {len(rows)} of {len(effects)} faults, each in {spec.share:.0%} of the rows, one column at a time."
    )
    return Table("When the data are wrong", ("column", "fault", f"fall of {metric}", ""), tuple(rows), note)


def _with(rows: Numbers, position: int, values: Numbers) -> Numbers:
    changed = rows.copy()
    changed[:, position] = values
    return changed


def _whole(change: Change) -> Change:
    return lambda values, generator: np.trunc(change(values, generator))


def _times(factor: float) -> Change:
    return lambda values, _: values * factor


def _constant(value: float) -> Change:
    return lambda values, _: np.full_like(values, value)


def _noisy(width: float) -> Change:
    return lambda values, generator: values + generator.normal(0, width, len(values))


def _missing(values: Numbers, _: np.random.Generator) -> Numbers:
    return np.full_like(values, np.nan)


def _unseen(values: Numbers, _: np.random.Generator) -> Numbers:
    return np.full_like(values, UNKNOWN)


def _shuffled(values: Numbers, generator: np.random.Generator) -> Numbers:
    return generator.permutation(values)


def _flipped(values: Numbers, _: np.random.Generator) -> Numbers:
    return 1 - values
