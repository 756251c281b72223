"""How a model of yes or no does: the curves of its scores, and what its decision rule makes of them."""

from __future__ import annotations

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.calibration import reliability
from drivetrain.ops.decisions import cost_curve
from drivetrain.ops.intervals import bootstrap_mean
from drivetrain.ops.metrics import precision_recall_curve, roc_curve
from drivetrain.store.pages import Cell, Chart, Guide, Table
from drivetrain.validate.calibration import calibration_error
from drivetrain.validate.curves import drawn, promised_chart
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding


def yes_no_headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """Brier score and calibration error, and the mean cost where there is a cost matrix."""
    brier = bootstrap_mean("brier", np.square(evidence.score - evidence.came_true))  # Brier 1950
    bins = reliability(evidence.came_true, evidence.score)
    found = (brier, calibration_error(evidence.came_true, evidence.score, bins))
    priced = evidence.content.decision.kind == "cost"
    return (*found, bootstrap_mean("cost", evidence.cost)) if priced else found


def yes_no_performance(evidence: Evidence) -> Finding:
    """The curves of the model and the table of its decisions."""
    charts = (roc_chart(evidence), precision_recall_chart(evidence), promised_chart(evidence), *_cost(evidence))
    return Finding((), (decisions_table(evidence),), charts)


def roc_chart(evidence: Evidence) -> Chart:
    """How many true cases are found at which share of false alarms."""
    curve = roc_curve(evidence.came_true, evidence.score)
    note = "Share of true cases found against share of false cases flagged; the dotted diagonal is guessing."
    return Chart("ROC", (drawn("model", curve),), "false positive rate", "true positive rate", note, diagonal=True)


def precision_recall_chart(evidence: Evidence) -> Chart:
    """How many of those flagged are true, against how many of the true are found."""
    curve = precision_recall_curve(evidence.came_true, evidence.score)
    note = "Of those flagged, how many are true, against how many of the true are found."
    guides = (Guide("y", float(evidence.came_true.mean()), "base rate"),)
    return Chart("Precision and recall", (drawn("model", curve),), "recall", "precision", note, guides)


def _cost(evidence: Evidence) -> tuple[Chart, ...]:
    rule = evidence.content.decision
    if rule.false_positive is None or rule.false_negative is None:
        return ()
    curve = cost_curve(evidence.came_true, evidence.score, rule.false_positive, evidence.miss_costs)
    times = f" times {rule.times}" if rule.times else ""
    note = f"A false alarm costs {rule.false_positive:g}, a miss {rule.false_negative:g}{times}."
    guides = (Guide("x", rule.threshold, f"threshold {rule.threshold:.3g}"),)
    return (Chart("Cost of a decision", (drawn("mean cost", curve),), "threshold", "mean cost", note, guides),)


def decisions_table(evidence: Evidence) -> Table:
    """What the rule makes of the test rows."""
    label, flagged = evidence.came_true, evidence.decision
    rows: list[tuple[Cell, ...]] = []
    for name, chosen in (("flagged", flagged), ("not flagged", ~flagged)):
        true, cases = int((label & chosen).sum()), int(chosen.sum())
        rows.append((name, cases, true, cases - true, f"{true / cases:.1%}" if cases else "n/a"))
    found = (label & flagged).sum() / max(1, label.sum())
    alarms = (~label & flagged).sum() / max(1, (~label).sum())
    note = f"The rule finds {found:.1%} of the true cases and flags {alarms:.1%} of the false ones."
    return Table("Decisions on the test rows", ("decision", "cases", "true", "false", "share true"), tuple(rows), note)
