"""Hard rules on the test rows: how often each speaks and is right, and that a server asks them as the SQL says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.model import OutputField, Rule
from drivetrain.core.project import Bound
from drivetrain.core.task import Task
from drivetrain.ops.intervals import wilson
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.ops.rules import SAID
from drivetrain.ops.saying import Said, decided
from drivetrain.store.conditions import Conditions
from drivetrain.store.journal import output_column
from drivetrain.store.pages import Cell, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge


def rules(evidence: Evidence) -> Finding:
    """The share of the test rows of which the most talkative rule speaks; nothing of a model without rules.

    Where it is more than ``max_share`` the rule answers, and the model is not heard.
    """
    most = asked(evidence.spec.rules).max_share
    found = evidence.content.rules
    if not found:
        return Finding(())
    spoke = evidence.said.outputs[:, -1]
    shares = [wilson(rule.name, int((spoke == place).sum()), len(spoke)) for place, rule in enumerate(found, 1)]
    loudest = max(shares, key=lambda share: share.value)
    detail = (
        f"`{loudest.name}` speaks most often; rules decide {np.mean(spoke > 0):.2%} of the test rows{_prices(evidence)}"
    )
    result = judge("rules", replace(loudest, name="share of rows"), Bound(max=most), detail)
    return Finding((result,), (_table(evidence, spoke),))


def misjudged(evidence: Evidence, packed: Numbers, answer: Numbers) -> str:
    """The first test row of which a served rule speaks otherwise than its SQL, in words; empty when there is none.

    ``packed`` [m, F] and ``answer`` of the first m test rows are those of the served path.
    """
    found = evidence.content.rules
    if not found:
        return ""
    served = evidence.saying.say(answer, packed).outputs[:, -1].astype(np.int64)
    offline = _by_sql(evidence, found)[: len(served)]
    wrong = np.flatnonzero(served != offline)
    if not len(wrong):
        return ""
    row, names = int(wrong[0]), ("no rule", *(f"`{rule.name}`" for rule in found))
    return (
        f"of {evidence.features.entity} {evidence.test.entity[row]} {names[served[row]]} speaks online, by the SQL "
        f"{names[offline[row]]}; {len(wrong):,} rows differ"
    )


def _by_sql(evidence: Evidence, found: Sequence[Rule]) -> NDArray[np.int64]:
    """Which rule speaks of each test row, as DuckDB says of the rows as they lie in the feature table."""
    signature, alone = evidence.content.signature, evidence.said_alone
    said: tuple[OutputField, ...] = (*SAID, *signature.outputs[:-1])
    outputs = [output_column(field, alone.outputs[:, at]) for at, field in enumerate(signature.outputs[:-1])]
    columns = dict(zip([field.name for field in said], (alone.score, alone.decision, *outputs), strict=True))
    inputs = [field for field in signature.inputs if not field.of]
    columns |= {field.name: evidence.test.inputs.column(field.name) for field in inputs}
    types = {field.name: field.type for field in said} | {field.name: field.type for field in inputs}
    with Conditions(types, pa.table(columns)) as conditions:
        return conditions.first([rule.when for rule in found])


def _prices(evidence: Evidence) -> str:
    """What rules change in the cost of a decision, where it has a price."""
    if evidence.content.decision.false_positive is None:
        return ""
    ruled, alone = (evidence.cost_of(said).mean() for said in (evidence.said, evidence.said_alone))
    return f"; a decision costs {ruled:.4g} with them, {alone:.4g} without"


def _table(evidence: Evidence, spoke: Numbers) -> Table:
    """How often each rule speaks, and how many of these rows it and the model alone decide as it came true."""
    ruled, alone = (right(evidence, said) for said in (evidence.said, evidence.said_alone))
    rows: list[tuple[Cell, ...]] = []
    for place, rule in enumerate(evidence.content.rules, 1):
        its = spoke == place
        rows.append(
            (rule.name, rule.when, decides(rule), int(its.sum()), _share(ruled, its), _share(alone, its), rule.because)
        )
    header = ("rule", "when", "decides", "cases", "right", "the model alone", "because")
    note = "Of a case the first rule that speaks counts; right are the decisions that are as it came true."
    return Table("Rules on the test rows", header, tuple(rows), note)


def right(evidence: Evidence, said: Said) -> Labels | None:
    """Of which test rows [n] the decision is as it came true; None where a number has no limit to be beyond.

    Of classes: what is given is right, or what goes to a person would have been wrong.
    """
    rule, truth = evidence.content.decision, evidence.truth
    if evidence.task is Task.YES_NO:
        return np.asarray(said.decision == truth)
    if evidence.task is Task.CLASSES:
        return np.asarray(said.decision == (said.outputs[:, 0] == truth))
    return None if rule.kind == "none" else np.asarray(said.decision == decided(rule, truth.astype(np.float64)))


def _share(right: Labels | None, rows: Labels) -> Cell:
    return "n/a" if right is None or not rows.any() else f"{right[rows].mean():.1%}"


def decides(rule: Rule) -> str:
    """What a rule decides, in a word."""
    return rule.decide if isinstance(rule.decide, str) else "yes" if rule.decide else "no"
