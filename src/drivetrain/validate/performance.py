"""How the model does on the test rows: headline metrics, curves, and what its decision rule makes of the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.calibration import reliability
from drivetrain.ops.decisions import cost_curve
from drivetrain.ops.intervals import bootstrap_mean, wilson
from drivetrain.ops.metrics import Curve, Numbers, precision_recall_curve, roc_curve
from drivetrain.store.pages import Cell, Chart, Guide, Line, Table
from drivetrain.validate.calibration import calibration_error
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding

_POINTS = 200


def headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """The metrics that every report gives, whatever gates are set, with their intervals."""
    brier = bootstrap_mean("brier", np.square(evidence.score - evidence.label))  # Brier 1950
    bins = reliability(evidence.label, evidence.score)
    found = (*evidence.metrics.values(), brier, calibration_error(evidence.label, evidence.score, bins))
    priced = evidence.content.decision.kind == "cost"
    return (*found, bootstrap_mean("cost", evidence.cost)) if priced else found


def performance(evidence: Evidence) -> Finding:
    """The curves of the model and the table of its decisions; no result of its own."""
    charts = (_roc(evidence), _precision_recall(evidence), _reliability(evidence), *_cost(evidence))
    return Finding((), (_decisions(evidence),), charts)


def _roc(evidence: Evidence) -> Chart:
    curve = roc_curve(evidence.label, evidence.score)
    note = "Share of true cases found against share of false cases flagged; the dotted diagonal is guessing."
    return Chart("ROC", (_line("model", curve),), "false positive rate", "true positive rate", note, diagonal=True)


def _precision_recall(evidence: Evidence) -> Chart:
    curve = precision_recall_curve(evidence.label, evidence.score)
    note = "Of those flagged, how many are true, against how many of the true are found."
    guides = (Guide("y", float(evidence.label.mean()), "base rate"),)
    return Chart("Precision and recall", (_line("model", curve),), "recall", "precision", note, guides)


def _reliability(evidence: Evidence) -> Chart:
    bins = reliability(evidence.label, evidence.score)
    rates = [wilson("rate", round(part.rate * part.rows), part.rows) for part in bins]
    line = Line(
        "model",
        [part.mean_score for part in bins],
        [part.rate for part in bins],
        [rate.low for rate in rates],
        [rate.high for rate in rates],
        mode="markers",
    )
    note = "Each point is a tenth of the cases; on the diagonal, what was promised came true."
    return Chart("Calibration", (line,), "mean score", "share that came true", note, diagonal=True)


def _cost(evidence: Evidence) -> tuple[Chart, ...]:
    rule = evidence.content.decision
    if rule.false_positive is None or rule.false_negative is None:
        return ()
    curve = cost_curve(evidence.label, evidence.score, rule.false_positive, rule.false_negative)
    note = f"A false alarm costs {rule.false_positive:g}, a miss {rule.false_negative:g}."
    guides = (Guide("x", rule.threshold, f"threshold {rule.threshold:.3g}"),)
    return (Chart("Cost of a decision", (_line("mean cost", curve),), "threshold", "mean cost", note, guides),)


def _decisions(evidence: Evidence) -> Table:
    label, flagged = evidence.label, evidence.decision
    rows: list[tuple[Cell, ...]] = []
    for name, chosen in (("flagged", flagged), ("not flagged", ~flagged)):
        true, cases = int((label & chosen).sum()), int(chosen.sum())
        rows.append((name, cases, true, cases - true, f"{true / cases:.1%}" if cases else "n/a"))
    found = (label & flagged).sum() / max(1, label.sum())
    alarms = (~label & flagged).sum() / max(1, (~label).sum())
    note = f"The rule finds {found:.1%} of the true cases and flags {alarms:.1%} of the false ones."
    return Table("Decisions on the test rows", ("decision", "cases", "true", "false", "share true"), tuple(rows), note)


def _line(name: str, curve: Curve) -> Line:
    keep = even_points(curve.x, curve.y)
    return Line(name, curve.x[keep].tolist(), curve.y[keep].tolist())


def even_points(x: Numbers, y: Numbers, points: int = _POINTS) -> NDArray[np.intp]:
    """The places of at most ``points`` points that lie evenly along a drawn curve, both ends among them."""
    steps = np.hypot(np.diff(x) / (np.ptp(x) or 1), np.diff(y) / (np.ptp(y) or 1))
    length = np.append(0.0, np.cumsum(steps))
    places = np.searchsorted(length, np.linspace(0, length[-1], points - 1))
    return np.unique(np.append(places, len(x) - 1).clip(max=len(x) - 1))
