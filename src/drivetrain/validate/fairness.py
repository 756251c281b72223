"""The gates of fairness: how far the decisions for different groups of people are apart.

Measures are those of fairlearn (https://fairlearn.org): *demographic parity* compares how often a group is flagged,
*equal opportunity* (Hardt, Price & Srebro 2016) how many of its true cases are, *equalized odds* that and how many of
its false cases are. The number is the largest difference between two groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import pyarrow as pa
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import Bound, FairnessGate
from drivetrain.ops.intervals import bootstrap_mean, bootstrap_weighed
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.store.pages import Bars, Cell, Chart, Mark, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, judge, merged
from drivetrain.validate.parts import Part, numbers, parts_by_cuts, parts_by_value

_LEAST = 30
"""Cases that a rate must be of, or the group is too small to judge."""
_MOST_GROUPS = 30
Rate = Literal["true positive rate", "false positive rate", "flagged"]
_RATES: dict[str, tuple[Rate, ...]] = {
    "equal_opportunity": ("true positive rate",),
    "demographic_parity": ("flagged",),
    "equalized_odds": ("true positive rate", "false positive rate"),
}
_FUNCTIONS: dict[Rate, Callable[..., float]] = {
    "true positive rate": true_positive_rate,
    "false positive rate": false_positive_rate,
    "flagged": selection_rate,
}


def fairness(evidence: Evidence) -> Finding:
    """Each fairness gate of the project file: one that cannot run does not hide the others."""
    return merged(attempt(_name(spec), partial(_fairness, evidence, spec)) for spec in evidence.spec.fairness)


def gap(groups: Sequence[Part], base: Labels, decision: Labels) -> Estimate:
    """The largest difference between groups in the share of their ``base`` cases that are flagged, and its interval.

    A round of the bootstrap that leaves a group without a base case does not count that group.
    """
    member = np.full(len(base), len(groups))
    for number, group in enumerate(groups):
        member[group.rows & base] = number

    def apart(weights: Numbers) -> float:
        of = np.bincount(member, weights, minlength=len(groups) + 1)[:-1]
        flagged = np.bincount(member, weights * decision, minlength=len(groups) + 1)[:-1]
        rates = flagged[of > 0] / of[of > 0]
        return float(np.ptp(rates))

    return bootstrap_weighed("difference", apart, len(base))


def _fairness(evidence: Evidence, spec: FairnessGate) -> Finding:
    groups = _groups(evidence, spec)
    bases = {rate: _cases_of(rate, evidence.label) for rate in _RATES[spec.measure]}
    judged = [all((group.rows & base).sum() >= _LEAST for base in bases.values()) for group in groups]
    if sum(judged) < 2:
        raise InvalidInput(
            "groups_too_small",
            f"fewer than two groups by {spec.column!r} have {_LEAST} cases to judge by",
            hint="choose wider cuts, or more test rows",
        )
    kept = [group for group, enough in zip(groups, judged, strict=True) if enough]
    gaps = [(rate, gap(kept, base, evidence.decision)) for rate, base in bases.items()]
    rate, measured = max(gaps, key=lambda item: item[1].value)
    rates = _rates(evidence, groups)
    low, high = (pick(kept, key=lambda group: rates[rate][group.label]).label for pick in (min, max))
    detail = f"{spec.measure.replace('_', ' ')}: {rate} is least for {low}, greatest for {high}"
    small = [group.label for group, enough in zip(groups, judged, strict=True) if not enough]
    if small:
        detail += f"; too small to judge: {examples(small)}"
    result = judge(_name(spec), replace(measured, name=f"{rate} difference"), Bound(max=spec.max), detail)
    return Finding((result,), (_table(evidence, spec, groups, judged),), (_chart(evidence, spec, kept, bases),))


def _name(spec: FairnessGate) -> str:
    return f"fairness:{spec.column}:{spec.measure}"


def _groups(evidence: Evidence, spec: FairnessGate) -> tuple[Part, ...]:
    names = evidence.test.inputs.column_names
    if spec.column not in names:
        raise InvalidInput(
            "column_unknown", f"there is no input {spec.column!r}", hint=f"inputs: {examples(names, 20)}"
        )
    column = evidence.test.inputs.column(spec.column)
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


def _cases_of(rate: Rate, label: Labels) -> Labels:
    """The cases that a rate is a share of."""
    return {"true positive rate": label, "false positive rate": ~label, "flagged": np.ones_like(label)}[rate]


def _rates(evidence: Evidence, groups: Sequence[Part]) -> dict[Rate, dict[str, float]]:
    """Each rate of each group, by fairlearn; 0 for a rate of no cases."""
    labels = np.empty(len(evidence.label), dtype=object)
    for group in groups:
        labels[group.rows] = group.label
    frame = MetricFrame(
        metrics=dict(_FUNCTIONS), y_true=evidence.label, y_pred=evidence.decision, sensitive_features=labels
    )
    return {rate: {str(group): float(value) for group, value in frame.by_group[rate].items()} for rate in _FUNCTIONS}


def _table(evidence: Evidence, spec: FairnessGate, groups: Sequence[Part], judged: Sequence[bool]) -> Table:
    rates = _rates(evidence, groups)
    rows: list[tuple[Cell, ...]] = [
        (
            group.label,
            int(group.rows.sum()),
            int((group.rows & evidence.label).sum()),
            *(rates[rate][group.label] for rate in _FUNCTIONS),
            "yes" if enough else Mark("warn", "too few cases"),
        )
        for group, enough in zip(groups, judged, strict=True)
    ]
    header = ("group", "cases", "true cases", *_FUNCTIONS, "judged")
    return Table(f"Decisions by {spec.column}", header, tuple(rows))


def _chart(evidence: Evidence, spec: FairnessGate, groups: Sequence[Part], bases: Mapping[Rate, Labels]) -> Chart:
    series = []
    for rate, base in bases.items():
        shares = [bootstrap_mean(rate, evidence.decision[group.rows & base].astype(np.float64)) for group in groups]
        low, high = [share.low for share in shares], [share.high for share in shares]
        series.append(Bars(rate, [group.label for group in groups], [share.value for share in shares], low, high))
    return Chart(f"{spec.measure.replace('_', ' ').capitalize()} by {spec.column}", tuple(series), y="share flagged")
