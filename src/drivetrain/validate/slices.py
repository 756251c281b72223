"""The gate of the weakest slice: where the model does worst, found by itself.

Every column is parted into ranges or values; every part, and every pair of parts of two columns, is a slice. What each
slice measures is shrunk toward the mean of all slices (``ops.shrinkage``), so that the weakest is not the unluckiest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import SliceGate
from drivetrain.ops.metrics import higher_is_better, measure
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
"""Cases of each class without which a slice has no ROC AUC worth the name."""
_SAME = 0.5
_REACH = 1.96
_NOTE = (
    "Slices that mostly hold the same cases are shown once. A metric of few cases is shrunk toward the mean of all "
    "slices, so that the weakest slice is not the unluckiest."
)


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
            f"no slice has {spec.min_rows} test rows with {_CLASS} of each class among them",
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
    """The parts with enough rows and classes, but for those that are the whole."""
    kept = []
    for part in parts:
        rows, true = int(part.rows.sum()), int((part.rows & evidence.label).sum())
        if spec.min_rows <= rows < len(evidence.label) and min(true, rows - true) >= _CLASS:
            kept.append(part)
    return kept


def _measured(evidence: Evidence, spec: SliceGate, parts: Sequence[Part]) -> tuple[Slice, ...]:
    """The parts with their metric, shrunk among themselves, weakest first."""
    if not parts:
        return ()
    cases = [(evidence.label[part.rows], evidence.score[part.rows]) for part in parts]
    values = np.array([measure(evidence.metric(spec.metric), label, score) for label, score in cases])
    errors = np.array([standard_error(evidence.metric(spec.metric), label, score) for label, score in cases])
    shrunk = shrink(values, errors)
    weakest = np.argsort(
        shrunk.values if higher_is_better(evidence.metric(spec.metric)) else -shrunk.values, kind="stable"
    )
    return tuple(
        Slice(parts[at], float(values[at]), float(errors[at]), float(shrunk.values[at]), float(shrunk.errors[at]))
        for at in weakest
    )


def _drop(evidence: Evidence, spec: SliceGate, weakest: Slice) -> Estimate:
    sign = 1 if higher_is_better(evidence.metric(spec.metric)) else -1
    drop = sign * (evidence.metrics[evidence.metric(spec.metric)].value - weakest.shrunk)
    reach = _REACH * weakest.shrunk_error
    return Estimate(f"{evidence.metric(spec.metric)} drop", drop, drop - reach, drop + reach, weakest.rows)


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
    for one in shown:
        drop = _drop(evidence, spec, one).value
        mark = Mark("bad", "too weak") if drop > spec.max_drop else Mark("good", "holds")
        true = int((one.part.rows & evidence.label).sum())
        rows.append((one.part.label, one.rows, true, one.value, one.shrunk, drop, mark))
    header = ("slice", "cases", "true cases", evidence.metric(spec.metric), "after shrinking", "below the whole", "")
    return Table("The weakest slices", header, tuple(rows), _NOTE)


def _chart(evidence: Evidence, spec: SliceGate, shown: Sequence[Slice]) -> Chart:
    sign = 1 if higher_is_better(evidence.metric(spec.metric)) else -1
    whole = evidence.metrics[evidence.metric(spec.metric)].value
    bars = Bars(
        evidence.metric(spec.metric),
        [one.part.label for one in shown],
        [one.shrunk for one in shown],
        [one.shrunk - _REACH * one.shrunk_error for one in shown],
        [one.shrunk + _REACH * one.shrunk_error for one in shown],
    )
    guides = (Guide("x", whole, "whole"), Guide("x", whole - sign * spec.max_drop, "limit"))
    return Chart("The weakest slices", (bars,), y=evidence.metric(spec.metric), guides=guides, sideways=True, wide=True)
