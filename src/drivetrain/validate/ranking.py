"""Gates of rankings: of the choices that are put before somebody, how many of the right ones stand at the top."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.items import RankingGate
from drivetrain.core.project import Bound
from drivetrain.ops.intervals import bootstrap_mean
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.ranking import ndcg, places_of
from drivetrain.store.pages import Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, judge, merged
from drivetrain.validate.series import column_of


def ranking(evidence: Evidence) -> Finding:
    """Each gate of ``ranking``: NDCG, the mean over those who choose, and what it gains over a naive order.

    Intervals are of those who choose, drawn again, not of rows: the rows of one are not independent.
    """
    found = [attempt(name_of(gate), partial(_ranking, evidence, gate)) for gate in evidence.spec.ranking]
    return merged([*found, attempt("ranking", partial(_spread, evidence))])


def name_of(gate: RankingGate) -> str:
    """What a gate is called in the report: ``ranking:customer``, ``ranking:customer/is_new`` of some rows only."""
    return f"ranking:{gate.by}" + (f"/{gate.only}" if gate.only else "")


def _ranking(evidence: Evidence, gate: RankingGate) -> Finding:
    groups, wanted = _groups(evidence, gate)
    rows = _rows(evidence, gate)
    right = np.asarray(evidence.test.label, dtype=np.bool_)[rows]

    def each(score: Numbers) -> Numbers:
        return ndcg(score[rows], right, groups[rows], wanted, gate.at)

    ours = each(evidence.score)
    some = np.isfinite(ours)
    name = f"ndcg@{gate.at}"
    found = float(right.sum() / max(wanted.sum(), 1.0))
    detail = f"the mean over {int(some.sum()):,} of {gate.by}; of what was right {found:.1%} was there to be ranked"
    results = [judge(name_of(gate), bootstrap_mean(name, ours[some]), Bound(min=gate.min), detail)]
    if gate.beats is not None:
        naive = each(np.nan_to_num(_numbers(evidence, gate.beats), nan=-np.inf))
        gain = bootstrap_mean(f"{name} gain over {gate.beats}", (ours - naive)[some])
        verdict: Verdict = "pass" if gain.low > 0 else "fail"
        threshold = "more than 0, by the whole interval"
        detail = f"in the order of {gate.beats} it is {naive[some].mean():.4f}"
        results.append(GateResult(f"{name_of(gate)}:beats", verdict, gain, threshold, detail))
    return Finding(tuple(results))


def _rows(evidence: Evidence, gate: RankingGate) -> NDArray[np.intp]:
    """The rows that count."""
    if gate.only is None:
        return np.arange(len(evidence.test))
    return np.flatnonzero(_numbers(evidence, gate.only) > 0)


def _groups(evidence: Evidence, gate: RankingGate) -> tuple[NDArray[np.int64], Numbers]:
    """Whose each row is, and how many right choices each of them had: also of those who have no row that counts."""
    names = _column(evidence, gate.by).to_numpy(zero_copy_only=False)
    _, first, groups = np.unique(names, return_index=True, return_inverse=True)
    return groups.astype(np.int64), _numbers(evidence, gate.wanted)[first]


def _spread(evidence: Evidence) -> Finding:
    """How much of what there is to choose from stands at the top for anybody."""
    gate = evidence.spec.ranking[0]
    if gate.choice is None:
        return Finding(())
    groups, wanted = _groups(evidence, gate)
    top = places_of(evidence.score, groups) < gate.at
    items = _column(evidence, gate.choice).to_numpy(zero_copy_only=False)
    shown, counts = np.unique(items[top], return_counts=True)
    offered = len(np.unique(items))
    busiest = np.sort(counts)[::-1][: max(1, offered // 100)].sum() / counts.sum()
    rows = (
        ("choices that are offered to anybody", offered, ""),
        (f"of those, among the first {gate.at} of anybody", len(shown), f"{len(shown) / offered:.1%}"),
        ("the most shown hundredth takes of all those places", "", f"{busiest:.1%}"),
    )
    note = f"Over {len(wanted):,} of {gate.by}."
    return Finding((), (Table(f"What stands among the first {gate.at}", ("", "", "share"), rows, note),))


def _numbers(evidence: Evidence, name: str) -> Numbers:
    """A column as numbers, [n]; NaN where it is missing."""
    values = _column(evidence, name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def _column(evidence: Evidence, name: str) -> pa.ChunkedArray:
    return column_of(evidence.features, evidence.test, name, "gates.ranking")
