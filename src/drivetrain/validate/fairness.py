"""The gates of fairness: how far the decisions for different groups of people are apart.

Measures are those of fairlearn (https://fairlearn.org): *demographic parity* compares how often a group is flagged,
*equal opportunity* (Hardt, Price & Srebro 2016) how many of its true cases are, *equalized odds* that and how many of
its false cases are. Of classes, demographic parity compares how often a group is answered and not handed over, equal
opportunity how often the class that is said is right; there are no false cases, so there are no equalized odds. The
number is the largest difference between two groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from fairlearn.metrics import MetricFrame, selection_rate

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import Bound, FairnessGate
from drivetrain.core.task import Task
from drivetrain.ops.intervals import bootstrap_mean, bootstrap_weighed
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.store.cases import Cases
from drivetrain.store.pages import Bars, Cell, Chart, Mark, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, judge, merged
from drivetrain.validate.parts import Part, numbers, parts_by_cuts, parts_by_value

_LEAST = 30
"""Cases that a rate must be of, or the group is too small to judge."""
_MOST_GROUPS = 30
_RATES: dict[Task, dict[str, tuple[str, ...]]] = {
    Task.YES_NO: {
        "equal_opportunity": ("true positive rate",),
        "demographic_parity": ("flagged",),
        "equalized_odds": ("true positive rate", "false positive rate"),
    },
    Task.CLASSES: {"equal_opportunity": ("right",), "demographic_parity": ("answered",)},
}


@dataclass(frozen=True)
class Rate:
    """Of the cases ``base``, bool [n], how many are ``counted``, bool [n]."""

    base: Labels
    counted: Labels


def fairness(evidence: Evidence) -> Finding:
    """Each fairness gate of the project file: one that cannot run does not hide the others."""
    return merged(attempt(_name(spec), partial(_fairness, evidence, spec)) for spec in evidence.spec.fairness)


def gap(groups: Sequence[Part], rate: Rate) -> Estimate:
    """The largest difference between groups in a rate, and its interval.

    A round of the bootstrap that leaves a group without a base case does not count that group.
    """
    member = np.full(len(rate.base), len(groups))
    for number, group in enumerate(groups):
        member[group.rows & rate.base] = number

    def apart(weights: Numbers) -> float:
        of = np.bincount(member, weights, minlength=len(groups) + 1)[:-1]
        counted = np.bincount(member, weights * rate.counted, minlength=len(groups) + 1)[:-1]
        rates = counted[of > 0] / of[of > 0]
        return float(np.ptp(rates))

    return bootstrap_weighed("difference", apart, len(rate.base))


def _fairness(evidence: Evidence, spec: FairnessGate) -> Finding:
    every, named = _rates(evidence), _RATES[evidence.task][spec.measure]
    groups = _groups(evidence, spec)
    bases = [every[name].base for name in named]
    judged = [all((group.rows & base).sum() >= _LEAST for base in bases) for group in groups]
    if sum(judged) < 2:
        raise InvalidInput(
            "groups_too_small",
            f"fewer than two groups by {spec.column!r} have {_LEAST} cases to judge by",
            hint="choose wider cuts, or more test rows",
        )
    kept = [group for group, enough in zip(groups, judged, strict=True) if enough]
    name, measured = max(((name, gap(kept, every[name])) for name in named), key=lambda item: item[1].value)
    shares = {name: _by_group(rate, groups) for name, rate in every.items()}
    low, high = (pick(kept, key=lambda group: shares[name][group.label]).label for pick in (min, max))
    detail = f"{spec.measure.replace('_', ' ')}: {name} is least for {low}, greatest for {high}"
    small = [group.label for group, enough in zip(groups, judged, strict=True) if not enough]
    if small:
        detail += f"; too small to judge: {examples(small)}"
    result = judge(_name(spec), replace(measured, name=f"{name} difference"), Bound(max=spec.max), detail)
    table = _table(evidence, spec, groups, shares, judged)
    return Finding((result,), (table,), (_chart(spec, kept, {name: every[name] for name in named}),))


def _name(spec: FairnessGate) -> str:
    return f"fairness:{spec.column}:{spec.measure}"


def _column(cases: Cases, name: str) -> pa.ChunkedArray:
    """An input, or a column that is kept beside them: what people are grouped by need not be what a model sees."""
    tables = [cases.inputs, *([cases.kept] if cases.kept is not None else [])]
    for table in tables:
        if name in table.column_names:
            return table.column(name)
    known = [column for table in tables for column in table.column_names]
    hint = f"inputs, and what is kept: {examples(known, 20)}"
    raise InvalidInput("column_unknown", f"there is no input {name!r}", hint=hint)


def _groups(evidence: Evidence, spec: FairnessGate) -> tuple[Part, ...]:
    column = _column(evidence.test, spec.column)
    if not spec.cuts:
        groups = parts_by_value(spec.column, column)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        groups = parts_by_cuts(spec.column, numbers(column), sorted(spec.cuts))
    else:
        raise InvalidInput("cuts_of_text", f"{spec.column!r} is no number, so it has no cuts", hint="leave `cuts` out")
    if len(groups) > _MOST_GROUPS:
        raise InvalidInput(
            "too_many_groups",
            f"{spec.column!r} makes {len(groups)} groups",
            hint=f"give `cuts` that make at most {_MOST_GROUPS}",
        )
    return groups


def _rates(evidence: Evidence) -> dict[str, Rate]:
    """Every rate that the task knows."""
    decision, all_cases = evidence.decision, np.ones_like(evidence.decision)
    if evidence.task is Task.CLASSES:
        return {"right": Rate(all_cases, evidence.right), "answered": Rate(all_cases, decision)}
    true = evidence.came_true
    return {
        "true positive rate": Rate(true, decision),
        "false positive rate": Rate(~true, decision),
        "flagged": Rate(all_cases, decision),
    }


def _by_group(rate: Rate, groups: Sequence[Part]) -> dict[str, float]:
    """The rate of each group, by fairlearn; 0 for a rate of no cases."""
    names = np.empty(len(rate.base), dtype=object)
    for group in groups:
        names[group.rows] = group.label
    if not rate.base.any():
        return dict.fromkeys((group.label for group in groups), 0.0)
    base, counted = rate.base[rate.base], rate.counted[rate.base]
    frame = MetricFrame(metrics=selection_rate, y_true=base, y_pred=counted, sensitive_features=names[rate.base])
    return {group.label: float(frame.by_group.get(group.label, 0.0)) for group in groups}


def _table(
    evidence: Evidence,
    spec: FairnessGate,
    groups: Sequence[Part],
    shares: Mapping[str, Mapping[str, float]],
    judged: Sequence[bool],
) -> Table:
    yes_no = evidence.task is Task.YES_NO
    rows: list[tuple[Cell, ...]] = [
        (
            group.label,
            int(group.rows.sum()),
            *((int((group.rows & evidence.came_true).sum()),) if yes_no else ()),
            *(share[group.label] for share in shares.values()),
            "yes" if enough else Mark("warn", "too few cases"),
        )
        for group, enough in zip(groups, judged, strict=True)
    ]
    header = ("group", "cases", *(("true cases",) if yes_no else ()), *shares, "judged")
    return Table(f"Decisions by {spec.column}", header, tuple(rows))


def _chart(spec: FairnessGate, groups: Sequence[Part], rates: Mapping[str, Rate]) -> Chart:
    series = []
    for name, rate in rates.items():
        found = [bootstrap_mean(name, rate.counted[group.rows & rate.base].astype(np.float64)) for group in groups]
        low, high = [share.low for share in found], [share.high for share in found]
        series.append(Bars(name, [group.label for group in groups], [share.value for share in found], low, high))
    return Chart(f"{spec.measure.replace('_', ' ').capitalize()} by {spec.column}", tuple(series), y="share")
