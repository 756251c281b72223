"""The gate of earlier origins: what the model would have said then, knowing no more, and how that came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.forecast import BacktestGate
from drivetrain.core.project import Bound
from drivetrain.ops.conformal import roll, rolling_level
from drivetrain.ops.forecasting import series_rmse
from drivetrain.ops.intervals import bootstrap_mean
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.number_metrics import covered
from drivetrain.store.cases import Cases
from drivetrain.store.pages import Chart, Guide, Line, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge
from drivetrain.validate.series import column_of

_NOTE = (
    "Each origin was estimated by a model that saw only what came before it, and its intervals are those that the "
    "origins before it give; the first two have none. The last is the test part."
)


@dataclass(frozen=True)
class Origin:
    """One origin: its name, how many rows, the error (the mean over series, where there are), what intervals held."""

    name: str
    rows: int
    rmse: float
    coverage: float | None
    width: float | None


def backtest(evidence: Evidence) -> Finding:
    """Error and coverage at every earlier origin and on the test part; each bound is held to the mean over origins.

    Intervals of the result are of origins drawn again: rows of one origin are not independent.
    """
    gate = asked(evidence.spec.backtest)
    origins = (*_earlier(evidence, gate), _newest(evidence, gate))
    detail = f"the mean of {len(origins)} origins, {origins[0].name} to {origins[-1].name}"
    held = bootstrap_mean(
        "coverage of an origin", np.array([one.coverage for one in origins if one.coverage is not None])
    )
    error = bootstrap_mean("rmse of an origin", np.array([one.rmse for one in origins]))
    bound = Bound(min=gate.min_coverage, max=gate.max_coverage)
    results = [judge("backtest:coverage", held, bound, detail)]
    if gate.max_rmse is not None:
        results.append(judge("backtest:rmse", error, Bound(max=gate.max_rmse), detail))
    return Finding(tuple(results), (_table(origins, gate),), (_chart(evidence, origins),))


def _earlier(evidence: Evidence, gate: BacktestGate) -> Iterator[Origin]:
    rolled, interval, train = evidence.content.backtest, evidence.content.interval, evidence.train
    if rolled is None or interval is None or train.blocks is None:
        raise InvalidInput(
            "no_backtest",
            "the model was not estimated at earlier origins",
            hint="set `model.origins`, and split by time with the `column` that holds the day a row was made",
        )
    rows, answer = rolled[:, 0].astype(np.int64), rolled[:, 1]
    truth, origin = np.asarray(train.label, dtype=np.float64)[rows], train.blocks[rows]
    held = roll(truth, answer, origin, rolling_level(truth, answer, origin, interval.coverage))
    for moment in np.unique(origin):
        these, judged = np.flatnonzero(origin == moment), origin[held.rows] == moment
        yield Origin(
            name=_name(train, rows[these], int(moment)),
            rows=len(these),
            rmse=_error(truth[these], answer[these], _codes(evidence, train, gate, rows[these])),
            coverage=float(held.inside[judged].mean()) if judged.any() else None,
            width=float((held.high - held.low)[judged].mean()) if judged.any() else None,
        )


def _newest(evidence: Evidence, gate: BacktestGate) -> Origin:
    truth, (low, high) = evidence.truth.astype(np.float64), evidence.said.ends
    rows = np.arange(len(truth))
    return Origin(
        name=_name(evidence.test, rows, -1),
        rows=len(truth),
        rmse=_error(truth, evidence.score, _codes(evidence, evidence.test, gate, rows)),
        coverage=float(covered(truth, low, high).mean()),
        width=float((high - low).mean()),
    )


def _codes(evidence: Evidence, cases: Cases, gate: BacktestGate, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The series of each of these rows, as numbers from 0; all are one without `by`."""
    if gate.by is None:
        return np.zeros(len(rows), dtype=np.int64)
    column = column_of(evidence.features, cases, gate.by, "gates.backtest").take(pa.array(rows))
    return np.asarray(np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)[1], dtype=np.int64)


def _error(truth: Numbers, answer: Numbers, codes: NDArray[np.int64]) -> float:
    return float(series_rmse(truth, answer, codes).mean())


def _name(cases: Cases, rows: NDArray[np.int64], number: int) -> str:
    """The day of an origin, where a kept column holds one day for all of its rows; else its number."""
    for field in cases.kept.schema if cases.kept is not None else ():
        if pa.types.is_temporal(field.type) and cases.kept is not None:
            days = cases.kept.column(field.name).take(pa.array(rows)).unique()
            if len(days) == 1:
                return str(days[0].as_py())[:10]
    return "test part" if number < 0 else f"origin {number}"


def _table(origins: Sequence[Origin], gate: BacktestGate) -> Table:
    error = "RMSE" if gate.by is None else f"RMSE of a {gate.by}"
    rows = tuple(
        (
            one.name, one.rows, one.rmse,
            "" if one.coverage is None else f"{one.coverage:.1%}", "" if one.width is None else one.width,
        )
        for one in origins
    )  # fmt: skip
    return Table("Earlier origins", ("origin", "rows", error, "in the interval", "interval width"), rows, _NOTE)


def _chart(evidence: Evidence, origins: Sequence[Origin]) -> Chart:
    names = [one.name for one in origins]
    covered_ = [float("nan") if one.coverage is None else one.coverage for one in origins]
    lines = (
        Line("error", names, [one.rmse for one in origins], mode="lines+markers"),
        Line("in the interval", names, covered_, mode="lines+markers"),
    )
    promised = evidence.content.interval.coverage if evidence.content.interval else 0.9
    guides = (Guide("y", promised, "promised"),)
    return Chart("Errors and intervals at earlier origins", lines, x="origin", guides=guides, wide=True)
