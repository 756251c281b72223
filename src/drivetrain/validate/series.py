"""Gates of many series: the error of each by itself, so that one that sells much does not hide the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate, Features, GateResult, Verdict
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.forecast import SeriesGate
from drivetrain.core.project import Bound
from drivetrain.ops.forecasting import coverage, series_rmse
from drivetrain.ops.intervals import bootstrap_weighed
from drivetrain.ops.metrics import Numbers
from drivetrain.store.cases import Cases
from drivetrain.store.pages import Cell, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, judge, merged

_NOTE = "Of all test rows, whatever `only` says. The interval of an error is of series drawn again."


@dataclass(frozen=True, eq=False)
class Panel:
    """Some test rows, by their places ``rows`` [n], and whose each is, ``codes`` [n] from 0 on."""

    rows: NDArray[np.intp]
    codes: NDArray[np.intp]

    def where(self, chosen: NDArray[np.bool_]) -> Panel:
        """Only the rows that are chosen [n], their series numbered anew."""
        return Panel(self.rows[chosen], np.unique(self.codes[chosen], return_inverse=True)[1])

    def errors(self, truth: Numbers, answer: Numbers) -> Numbers:
        """The RMSE of each series; truth and answer are of the whole test part."""
        return series_rmse(truth[self.rows], answer[self.rows], self.codes)

    def means(self, values: Numbers) -> Numbers:
        """The mean of a column of the whole test part over the rows of each series."""
        return np.asarray(np.bincount(self.codes, values[self.rows]) / np.bincount(self.codes))


def series(evidence: Evidence) -> Finding:
    """Each gate of ``series``: the mean over series of their RMSE, and what it gains over a naive answer.

    Intervals are of series drawn again, not of rows: rows of one series are not independent.
    """
    return merged(attempt(name_of(gate), partial(_series, evidence, gate)) for gate in evidence.spec.series)


def name_of(gate: SeriesGate) -> str:
    """What a gate is called in the report: ``series:item``, ``series:item*revenue`` where revenue weighs."""
    return f"series:{gate.by}" + (f"*{gate.weight}" if gate.weight else "")


def _series(evidence: Evidence, gate: SeriesGate) -> Finding:
    panel, truth = _panel(evidence, gate), np.asarray(evidence.test.label, dtype=np.float64)
    judged = panel.where(_only(evidence, gate))
    errors = judged.errors(truth, evidence.score)
    weights = np.ones(len(errors)) if gate.weight is None else judged.means(_floats(evidence, gate.weight))
    measured = _mean(f"rmse of a {gate.by}", errors, weights)
    detail = f"the mean of {len(errors):,} series" + (f", weighed by {gate.weight}" if gate.weight else "")
    results = [judge(name_of(gate), measured, Bound(max=gate.max), detail)]
    if gate.beats is not None:
        naive = judged.errors(truth, _floats(evidence, gate.beats))
        gain = _mean(f"rmse gain over {gate.beats}", naive - errors, weights)
        verdict: Verdict = "pass" if gain.low > 0 else "fail"
        threshold = "more than 0, by the whole interval"
        results.append(GateResult(f"{name_of(gate)}:beats", verdict, gain, threshold, f"against {gate.beats}"))
    return Finding(tuple(results), tuple(_slices(evidence, gate, panel, truth, name) for name in gate.slices))


def _slices(evidence: Evidence, gate: SeriesGate, panel: Panel, truth: Numbers, name: str) -> Table:
    """Error, that of the naive answer, and coverage of the series with each value of a column."""
    values, (low, high) = _texts(evidence, name), evidence.said.ends
    naive = None if gate.beats is None else _floats(evidence, gate.beats)
    rows: list[tuple[Cell, ...]] = []
    for value in np.unique(values):
        part = panel.where(values == value)
        errors = part.errors(truth, evidence.score)
        said, held = (
            _mean("rmse", errors, np.ones(len(errors))),
            coverage(*(one[part.rows] for one in (truth, low, high))),
        )
        beaten = () if naive is None else (float(part.errors(truth, naive).mean()),)
        rows.append(
            (str(value), len(errors), _words(said), *beaten, f"{held.value:.1%} [{held.low:.1%}, {held.high:.1%}]")
        )
    beaten_ = () if gate.beats is None else (f"of {gate.beats}",)
    header = (name, "series", f"RMSE of a {gate.by}", *beaten_, "in the interval")
    return Table(f"Series by {name}", header, tuple(rows), _NOTE)


def _words(measured: Estimate) -> str:
    return f"{measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]"


def _panel(evidence: Evidence, gate: SeriesGate) -> Panel:
    codes = np.unique(_column(evidence, gate.by).to_numpy(zero_copy_only=False), return_inverse=True)[1]
    return Panel(np.arange(len(codes)), codes)


def _only(evidence: Evidence, gate: SeriesGate) -> NDArray[np.bool_]:
    """Which test rows are judged. Raises InvalidInput when none is."""
    chosen = np.ones(len(evidence.test), dtype=np.bool_)
    for name, value in gate.only.items():
        chosen &= _texts(evidence, name) == value
    if not chosen.any():
        raise InvalidInput("metric_undefined", f"no test row is as `only` says: {gate.only}")
    return chosen


def _texts(evidence: Evidence, name: str) -> NDArray[np.str_]:
    return np.array(_column(evidence, name).cast(pa.string()).fill_null("").to_pylist(), dtype=np.str_)


def _mean(name: str, values: Numbers, weights: Numbers) -> Estimate:
    def weighed(counts: Numbers) -> float:
        share = counts * weights
        return float((share * values).sum() / share.sum()) if share.sum() > 0 else float("nan")

    return bootstrap_weighed(name, weighed, len(values))


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
