"""How a model of a number does: estimates against truths, errors by size, and what the intervals hold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.intervals import bootstrap_mean
from drivetrain.ops.metrics import Labels, Numbers, measure
from drivetrain.ops.number_metrics import covered
from drivetrain.ops.saying import decided
from drivetrain.store.pages import Cell, Chart, Line, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding

_POINTS = 500
_PARTS = 10


def number_headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """The mean error, what the intervals hold, and how wide they are."""
    truth, (low, high) = evidence.truth.astype(np.float64), evidence.said.ends
    return (
        bootstrap_mean("mean error", evidence.answer - truth),
        bootstrap_mean("coverage", covered(truth, low, high)),
        bootstrap_mean("interval width", high - low),
    )


def number_performance(evidence: Evidence) -> Finding:
    """What lies where: estimates and truths, errors and intervals by the size of the estimate."""
    tables = (*_decisions(evidence), _sizes(evidence))
    return Finding((), tables, (_against(evidence), _errors(evidence)))


def _decisions(evidence: Evidence) -> Iterator[Table]:
    """What the rule makes of the estimates, and whether the truths are on the same side of its limit."""
    rule, truth = evidence.content.decision, evidence.truth.astype(np.float64)
    if rule.kind == "none":
        return
    beyond, rows = decided(rule, truth), list[tuple[Cell, ...]]()
    for name, chosen in (("flagged", evidence.decision), ("not flagged", ~evidence.decision)):
        cases = int(chosen.sum())
        means = (float(evidence.answer[chosen].mean()), float(truth[chosen].mean())) if cases else ("n/a", "n/a")
        rows.append((name, cases, int(beyond[chosen].sum()), *means))
    found = (evidence.decision & beyond).sum() / max(1, beyond.sum())
    note = f"Of the {int(beyond.sum()):,} cases whose truth is beyond the limit, {found:.1%} are flagged."
    yield Table(
        "Decisions on the test rows", ("decision", "cases", "truly beyond", "mean estimate", "mean truth"),
        tuple(rows), note,
    )  # fmt: skip


def _sizes(evidence: Evidence) -> Table:
    """Errors and intervals of small and of large estimates."""
    truth, (low, high) = evidence.truth.astype(np.float64), evidence.said.ends
    inside = covered(truth, low, high)
    rows: list[tuple[Cell, ...]] = []
    for part in _by_size(evidence.answer):
        ours, theirs = evidence.answer[part], truth[part]
        rows.append(
            (
                float(ours.min()), float(ours.max()), len(ours), float((ours - theirs).mean()),
                measure("rmse", theirs, ours), measure("mae", theirs, ours),
                f"{inside[part].mean():.1%}", float((high - low)[part].mean()),
            )
        )  # fmt: skip
    header = ("estimate from", "to", "cases", "mean error", "RMSE", "MAE", "in the interval", "interval width")
    interval = evidence.content.interval
    note = f"An interval is to hold {interval.coverage:.0%} of the truths." if interval else ""
    return Table("Small and large estimates", header, tuple(rows), note)


def _against(evidence: Evidence) -> Chart:
    """Some of the cases, spread evenly over the estimates."""
    order = np.argsort(evidence.answer, kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, min(_POINTS, len(order))).astype(np.intp))]
    points = Line("cases", evidence.answer[some].tolist(), evidence.truth[some].tolist(), mode="markers")
    note = f"{len(some):,} of {len(order):,} cases; on the diagonal the estimate is right."
    return Chart("Estimates and truths", (points,), "estimate", "truth", note, diagonal=True)


def _errors(evidence: Evidence) -> Chart:
    """How far truths lie from small and from large estimates, and how far the intervals reach."""
    away = evidence.truth.astype(np.float64) - evidence.answer
    parts = _by_size(evidence.answer)
    middle = [float(np.median(evidence.answer[part])) for part in parts]
    share = evidence.content.interval.coverage if evidence.content.interval else 0.9
    ends = [np.quantile(away[part], [(1 - share) / 2, 0.5, (1 + share) / 2]) for part in parts]
    low, median, high = np.array(ends).T.tolist()
    ranges = np.column_stack(evidence.said.ends) - evidence.answer[:, None]
    reach = np.array([ranges[part].mean(axis=0) for part in parts]).T.tolist()
    series = (
        Line("errors", middle, median, low, high, mode="markers"),
        Line("interval from", middle, reach[0]),
        Line("interval to", middle, reach[1]),
    )
    note = f"Truth less estimate: the median, and where the middle {share:.0%} lie, of each tenth of the cases."
    return Chart("Errors by the size of the estimate", series, "estimate", "truth less estimate", note)


def _by_size(answer: Numbers) -> list[Labels]:
    """The cases parted by their estimate into about equal counts, each bool [n]; equal estimates share a part."""
    cuts = np.unique(np.quantile(answer, np.linspace(0, 1, _PARTS + 1)[1:-1]))
    edges = [-np.inf, *cuts[cuts > answer.min()].tolist(), np.inf]
    return [(answer >= low) & (answer < high) for low, high in pairwise(edges)]
