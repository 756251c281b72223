"""How a model of several classes does: class by class, what is confused, and how much a person saves it from."""

from __future__ import annotations

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.ops.calibration import reliability
from drivetrain.ops.class_metrics import class_scores, confusion
from drivetrain.ops.decisions import handed_over_curve
from drivetrain.ops.intervals import bootstrap_mean, wilson
from drivetrain.ops.metrics import Numbers
from drivetrain.store.pages import Bars, Cell, Chart, Guide, Table
from drivetrain.validate.calibration import calibration_error
from drivetrain.validate.curves import drawn, promised_chart
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding

_LISTED = 100
_CONFUSED = 10
"""Classes in the table of confusions, and pairs in the list of them."""
_OTHERS = "others"
_UNKNOWN = "not known to the model"
_STEPS = 10


def class_headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """Calibration error, the share that is answered, the accuracy there, and the mean cost where it was priced."""
    right, answered = evidence.right, evidence.decision
    bins = reliability(evidence.came_true, evidence.score)
    found = (
        calibration_error(evidence.came_true, evidence.score, bins),
        wilson("answered", int(answered.sum()), len(right)),
        wilson("accuracy of answered", int((right & answered).sum()), int(answered.sum())),
    )
    priced = evidence.content.decision.kind == "hand_over"
    return (*found, bootstrap_mean("cost", evidence.cost)) if priced else found


def class_performance(evidence: Evidence) -> Finding:
    """Scores and confusions of the classes, and what becomes of sureness."""
    counts = confusion(evidence.truth.astype(np.int64), evidence.answer.argmax(axis=1), len(evidence.classes))
    tables = (_decisions(evidence), _scores(evidence, counts), _confusion(evidence, counts), _pairs(evidence, counts))
    return Finding((), tables, (promised_chart(evidence), _sureness(evidence), _handed_over(evidence)))


def _decisions(evidence: Evidence) -> Table:
    right, answered = evidence.right, evidence.decision
    rows: list[tuple[Cell, ...]] = []
    for name, chosen in (("answered", answered), ("handed over", ~answered)):
        good, cases = int((right & chosen).sum()), int(chosen.sum())
        rows.append((name, cases, good, cases - good, f"{good / cases:.1%}" if cases else "n/a"))
    note = f"The rule hands {1 - answered.mean():.1%} of the cases over to a person."
    return Table(
        "Decisions on the test rows", ("decision", "cases", "right", "wrong", "share right"), tuple(rows), note
    )


def _scores(evidence: Evidence, counts: Numbers) -> Table:
    """Precision, recall and F1 of each class, commonest of the test rows first."""
    scores, cases = class_scores(counts), counts.sum(axis=1)
    order = np.argsort(-cases[:-1], kind="stable")[:_LISTED]
    rows: list[tuple[Cell, ...]] = [
        (evidence.classes[at], int(cases[at]), int(counts[:, at].sum()), *scores[at].tolist()) for at in order
    ]
    if cases[-1]:
        rows.append((_UNKNOWN, int(cases[-1]), 0, "n/a", 0.0, "n/a"))
    left = len(evidence.classes) - len(order)
    note = "Precision: of those said to be of the class, how many are; recall: of those that are, how many are found."
    header = ("class", "cases", "said", "precision", "recall", "F1")
    return Table("Class by class", header, tuple(rows), note + (f" {left:,} rarer ones are left out." if left else ""))


def _confusion(evidence: Evidence, counts: Numbers) -> Table:
    """How many of each of the commonest classes were said to be of which."""
    common = np.argsort(-counts[:-1].sum(axis=1), kind="stable")[:_CONFUSED]
    rest = np.setdiff1d(np.arange(counts.shape[1]), common)
    said = np.column_stack([counts[:, common], counts[:, rest].sum(axis=1)]).astype(np.int64)
    names = [evidence.classes[at] for at in common]
    rows: list[tuple[Cell, ...]] = [(name, *said[at].tolist()) for name, at in zip(names, common, strict=True)]
    others = said[[*rest, len(counts) - 1]].sum(axis=0)
    if others.any():
        rows.append((_OTHERS, *others.tolist()))
    note = "A row is what is true, a column what was said; the classes are the commonest of the test rows."
    return Table("What is taken for what", ("true", *names, _OTHERS), tuple(rows), note)


def _pairs(evidence: Evidence, counts: Numbers) -> Table:
    """The confusions that happen most often."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    cases = counts.sum(axis=1)
    names = (*evidence.classes, _UNKNOWN)
    rows = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSED]:
        true, said = divmod(int(place), counts.shape[1])
        if wrong[true, said]:
            share = f"{wrong[true, said] / cases[true]:.1%}"
            rows.append((names[true], names[said], int(wrong[true, said]), share))
    return Table("The commonest mistakes", ("true", "said", "cases", "share of the true"), tuple(rows))


def _sureness(evidence: Evidence) -> Chart:
    """How many answers are how sure, the right ones and the wrong ones."""
    step = np.minimum((evidence.score * _STEPS).astype(np.int64), _STEPS - 1)
    labels = [f"{at / _STEPS:.1f} to {(at + 1) / _STEPS:.1f}" for at in range(_STEPS)]
    series = [
        Bars(name, labels, np.bincount(step[chosen], minlength=_STEPS).astype(np.float64).tolist())
        for name, chosen in (("right", evidence.came_true), ("wrong", ~evidence.came_true))
    ]
    note = "Answers by the probability of the class that was said."
    return Chart("How sure it is", tuple(series), "probability", "cases", note)


def _handed_over(evidence: Evidence) -> Chart:
    curve = handed_over_curve(evidence.came_true, evidence.score)
    share = float(1 - evidence.decision.mean())
    note = "When the least sure cases go to a person: how many of the other answers are right."
    guides = (Guide("x", share, f"now {share:.1%}"),)
    return Chart("Handing over", (drawn("accuracy", curve),), "share handed over", "accuracy of the rest", note, guides)
