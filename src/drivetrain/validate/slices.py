"""The gate of the weakest slice: where the model does worst, found by itself.

Every column is parted into ranges or values; every part, and every pair of parts of two columns, is a slice. What each
slice measures is shrunk toward the mean of all slices (``ops.shrinkage``), so that the weakest is not the unluckiest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import SliceGate
from drivetrain.core.task import Metric, Task
from drivetrain.ops.metrics import Numbers, Truth, higher_is_better, measure
from drivetrain.ops.shrinkage import shrink, standard_error
from drivetrain.store.pages import Bars, Cell, Chart, Guide, Mark, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked
from drivetrain.validate.parts import Part, parts_of_input

_BINS = 4
_PAIRED = 12
"""The columns, those with the weakest parts, whose pairs are looked at: 66 pairs, however wide the table is."""
_SHOWN = 10
_CLASS = 10
"""True cases, and false ones, without which a slice has no ROC AUC worth the name."""
_ENOUGH = {
    Task.YES_NO: f" with {_CLASS} true and {_CLASS} false ones among them",
    Task.CLASSES: "",
    Task.NUMBER: " that differ in their label",
}
_SAME = 0.5
_REACH = 1.96
_NOTE = (
    "Slices that mostly hold the same cases are shown once. A metric of few cases is shrunk toward the mean of all "
    "slices, so that the weakest slice is not the unluckiest."
)
_OF_ALL = " The R2 of a slice is 1 - (its mean squared error) / (the variance of all test rows)."


@dataclass(frozen=True)
class Slice:
    """A part of the cases: what the metric measures there with its standard error, and both after shrinking."""

    part: Part
    value: float
    error: float
    shrunk: float
    shrunk_error: float

    @property
    def rows(self) -> int:
        """How many cases."""
        return int(self.part.rows.sum())


def slices(evidence: Evidence) -> Finding:
    """How far the weakest slice lies below the whole in the gate's metric, after shrinking."""
    spec = asked(evidence.spec.slices)
    found = find_slices(evidence, spec)
    if not found:
        raise InvalidInput(
            "no_slices",
            f"no slice has {spec.min_rows} test rows{_ENOUGH[evidence.task]}",
            hint="lower gates.slices.min_rows, or bring more test rows",
        )
    weakest, drop = found[0], _drop(evidence, spec, found[0])
    result = GateResult(
        gate="slices",
        verdict="pass" if drop.value <= spec.max_drop else "fail",
        measured=drop,
        threshold=f"at most {spec.max_drop:g} below the whole",
        detail=f"weakest of {len(found):,} slices: {weakest.part.label} ({weakest.rows:,} cases)",
    )
    shown = _distinct(found)
    return Finding((result,), (_table(evidence, spec, shown),), (_chart(evidence, spec, shown),))


def find_slices(evidence: Evidence, spec: SliceGate) -> tuple[Slice, ...]:
    """Every slice by one column and by two that is large enough to judge, weakest first."""
    columns = {
        field.name: _large(evidence, spec, parts_of_input(field, evidence.packed[:, position], _BINS))
        for position, field in enumerate(evidence.content.signature.inputs)
    }
    single = _measured(evidence, spec, [part for parts in columns.values() for part in parts])
    weak = list(dict.fromkeys(one.part.columns[0] for one in single))[:_PAIRED]
    pairs = [one & other for a, b in combinations(weak, 2) for one in columns[a] for other in columns[b]]
    return _measured(evidence, spec, [*(one.part for one in single), *_large(evidence, spec, pairs)])


def _large(evidence: Evidence, spec: SliceGate, parts: Sequence[Part]) -> list[Part]:
    """The parts with enough rows, and enough that differ, but for those that are the whole."""
    return [
        part
        for part in parts
        if spec.min_rows <= int(part.rows.sum()) < len(evidence.truth)
        and _differ(evidence.task, evidence.truth[part.rows])
    ]


def _differ(task: Task, truth: Truth) -> bool:
    if task is Task.YES_NO:
        return _CLASS <= int(truth.sum()) <= len(truth) - _CLASS
    return task is Task.CLASSES or bool((truth != truth[0]).any())


def _measured(evidence: Evidence, spec: SliceGate, parts: Sequence[Part]) -> tuple[Slice, ...]:
    """The parts with their metric, shrunk among themselves, weakest first."""
    if not parts:
        return ()
    metric = evidence.metric(spec.metric)
    cases = [(evidence.truth[part.rows], evidence.answer[part.rows]) for part in parts]
    values, errors = np.array([_estimated(metric, truth, answer, evidence.truth) for truth, answer in cases]).T
    shrunk = shrink(values, errors)
    weakest = np.argsort(shrunk.values if higher_is_better(metric) else -shrunk.values, kind="stable")
    return tuple(
        Slice(parts[at], float(values[at]), float(errors[at]), float(shrunk.values[at]), float(shrunk.errors[at]))
        for at in weakest
    )


def _estimated(metric: Metric, truth: Truth, answer: Numbers, whole: Truth) -> tuple[float, float]:
    """The metric of a slice and its standard error.

    R2 is held against the variance of all rows: in a slice that an input makes, what this input explains is gone, and a
    model that is no worse there would have a poor R2 of its own.
    """
    if metric != "r2":
        return measure(metric, truth, answer), standard_error(metric, truth, answer)
    lost = np.square(truth - answer) / whole.var()
    return 1.0 - float(lost.mean()), float(lost.std(ddof=1) / math.sqrt(len(lost)))


def _drop(evidence: Evidence, spec: SliceGate, weakest: Slice) -> Estimate:
    metric = evidence.metric(spec.metric)
    sign = 1 if higher_is_better(metric) else -1
    drop = sign * (evidence.metrics[metric].value - weakest.shrunk)
    reach = _REACH * weakest.shrunk_error
    return Estimate(f"{metric} drop", drop, drop - reach, drop + reach, weakest.rows)


def _distinct(found: Sequence[Slice]) -> list[Slice]:
    """The weakest slices, without those that are mostly the same cases as one before."""
    shown: list[Slice] = []
    for candidate in found:
        if all(_overlap(candidate.part, other.part) < _SAME for other in shown):
            shown.append(candidate)
        if len(shown) == _SHOWN:
            break
    return shown


def _overlap(one: Part, other: Part) -> float:
    """Cases in both, as a share of those in either (Jaccard)."""
    return float((one.rows & other.rows).sum() / (one.rows | other.rows).sum())


def _table(evidence: Evidence, spec: SliceGate, shown: Sequence[Slice]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    metric, yes_no = evidence.metric(spec.metric), evidence.task is Task.YES_NO
    for one in shown:
        drop = _drop(evidence, spec, one).value
        mark = Mark("bad", "too weak") if drop > spec.max_drop else Mark("good", "holds")
        true = (int((one.part.rows & evidence.came_true).sum()),) if yes_no else ()
        rows.append((one.part.label, one.rows, *true, one.value, one.shrunk, drop, mark))
    counted = ("cases", "true cases") if yes_no else ("cases",)
    header = ("slice", *counted, metric, "after shrinking", "below the whole", "")
    return Table("The weakest slices", header, tuple(rows), _NOTE + (_OF_ALL if metric == "r2" else ""))


def _chart(evidence: Evidence, spec: SliceGate, shown: Sequence[Slice]) -> Chart:
    metric = evidence.metric(spec.metric)
    sign = 1 if higher_is_better(metric) else -1
    whole = evidence.metrics[metric].value
    bars = Bars(
        metric,
        [one.part.label for one in shown],
        [one.shrunk for one in shown],
        [one.shrunk - _REACH * one.shrunk_error for one in shown],
        [one.shrunk + _REACH * one.shrunk_error for one in shown],
    )
    guides = (Guide("x", whole, "whole"), Guide("x", whole - sign * spec.max_drop, "limit"))
    return Chart("The weakest slices", (bars,), y=metric, guides=guides, sideways=True, wide=True)
