"""Gates of many series: the error of each by itself, so that one that sells much does not hide the others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate, Features, GateResult, Verdict
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import SeriesGate
from drivetrain.core.project import Bound
from drivetrain.ops.forecasting import series_rmse
from drivetrain.ops.intervals import bootstrap_weighed
from drivetrain.ops.metrics import Numbers
from drivetrain.store.cases import Cases
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, judge, merged


def series(evidence: Evidence) -> Finding:
    """Each gate of ``series``: the mean over series of their RMSE, and what it gains over a naive answer.

    Intervals are of series drawn again, not of rows: rows of one series are not independent.
    """
    return merged(attempt(name_of(gate), partial(_series, evidence, gate)) for gate in evidence.spec.series)


def name_of(gate: SeriesGate) -> str:
    """What a gate is called in the report: ``series:item``, ``series:item*revenue`` where revenue weighs."""
    return f"series:{gate.by}" + (f"*{gate.weight}" if gate.weight else "")


def _series(evidence: Evidence, gate: SeriesGate) -> Finding:
    codes = np.unique(_column(evidence, gate.by).to_numpy(zero_copy_only=False), return_inverse=True)[1]
    truth = np.asarray(evidence.test.label, dtype=np.float64)
    errors = series_rmse(truth, evidence.score, codes)
    weights = np.ones(len(errors)) if gate.weight is None else _weights(evidence, gate.weight, codes)
    measured = _mean(f"rmse of a {gate.by}", errors, weights)
    detail = f"the mean of {len(errors):,} series" + (f", weighed by {gate.weight}" if gate.weight else "")
    results = [judge(name_of(gate), measured, Bound(max=gate.max), detail)]
    if gate.beats is not None:
        naive = series_rmse(truth, _floats(evidence, gate.beats), codes)
        gain = _mean(f"rmse gain over {gate.beats}", naive - errors, weights)
        verdict: Verdict = "pass" if gain.low > 0 else "fail"
        threshold = "more than 0, by the whole interval"
        results.append(GateResult(f"{name_of(gate)}:beats", verdict, gain, threshold, f"against {gate.beats}"))
    return Finding(tuple(results))


def _mean(name: str, values: Numbers, weights: Numbers) -> Estimate:
    def weighed(counts: Numbers) -> float:
        share = counts * weights
        return float((share * values).sum() / share.sum()) if share.sum() > 0 else float("nan")

    return bootstrap_weighed(name, weighed, len(values))


def _weights(evidence: Evidence, name: str, codes: NDArray[np.intp]) -> Numbers:
    """The mean weight of the rows of each series."""
    return np.asarray(np.bincount(codes, _floats(evidence, name)) / np.bincount(codes))


def _floats(evidence: Evidence, name: str) -> Numbers:
    values = np.asarray(_column(evidence, name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    if not np.isfinite(values).all():
        raise InvalidInput("metric_undefined", f"column {name!r} is missing or infinite in some of the test rows")
    return values


def _column(evidence: Evidence, name: str) -> pa.ChunkedArray:
    return column_of(evidence.features, evidence.test, name)


def column_of(features: Features, cases: Cases, name: str, where: str = "gates.series") -> pa.ChunkedArray:
    """A column of cases: the entity, what is kept, or an input. Raises InvalidInput for another name."""
    if name == features.entity:
        return cases.entity
    for table in (cases.kept, cases.inputs):
        if table is not None and name in table.column_names:
            return table.column(name)
    known = (features.entity, *features.kept, *cases.inputs.column_names)
    raise InvalidInput(
        "column_missing",
        f"the feature table has no column {name!r}",
        where=where,
        hint=f"it has {examples(known, 20)}; name a column of the spine under `features.keep`",
    )
