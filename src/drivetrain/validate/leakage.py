"""The gate of leakage: no input gives the label away alone, and no test row was learned from.

``prepare`` refuses leaks when the features are made. This is a second look at the very rows that the model is judged
on, with the leak rules of the section ``gates``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drivetrain.core.artifacts import GateResult
from drivetrain.core.errors import examples
from drivetrain.core.task import Task
from drivetrain.ops.leaks import Levels, duplicate_rows, explained, levels, single_auc, value_auc
from drivetrain.ops.metrics import Labels, Truth
from drivetrain.ops.packing import pack
from drivetrain.ops.truth import halved
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, exact


def leakage(evidence: Evidence) -> Finding:
    """What one input tells of the label alone, at best, and the share of test rows that also stand in training.

    It is the ROC AUC of yes or no, of classes that of the commonest; of numbers the share of variance it explains.
    """
    rules = asked(evidence.spec.leakage)
    test = np.arange(len(evidence.train) + len(evidence.test)) >= len(evidence.train)
    truth: Truth = np.concatenate([evidence.train.label, evidence.test.label])
    label = halved(evidence.task, truth)
    columns = _columns(evidence)
    alone = {name: column for name, column in columns.items() if name not in rules.allow}
    telling = {name: _telling(evidence.task, truth, label, column, test) for name, column in alone.items()}
    copies = duplicate_rows(label, tuple(columns.values()), test).share
    strongest = max(telling, key=lambda name: telling[name], default="none")
    number = evidence.task is Task.NUMBER
    highest = telling.get(strongest, 0.0 if number else 0.5)
    passed = highest <= rules.max_single_auc and copies <= rules.max_duplicates
    leaks = [f"{name!r} ({told:.4f})" for name, told in telling.items() if told > rules.max_single_auc]
    said = f"tells the label alone: {examples(leaks)}" if leaks else f"the strongest input alone is {strongest!r}"
    result = GateResult(
        gate="leakage",
        verdict="pass" if passed else "fail",
        measured=exact("share explained by one input" if number else "ROC AUC of one input", highest, len(label)),
        threshold=f"at most {rules.max_single_auc:g}, and at most {rules.max_duplicates:.1%} of test rows in training",
        detail=f"{said}; {copies:.2%} of the test rows also stand in training",
    )
    return Finding((result,))


def _columns(evidence: Evidence) -> dict[str, Levels]:
    """Each input over the training rows and then the test rows."""
    signature = evidence.content.signature
    # The encoder of a text has seen the labels of the training rows; what it says of them proves nothing.
    plain = replace(signature, inputs=tuple(field for field in signature.inputs if not field.of))
    judged = evidence.packed[:, : len(plain.inputs)]
    rows = np.concatenate([pack(plain, evidence.train.inputs), judged])
    return {field.name: levels(rows[:, at]) for at, field in enumerate(plain.inputs)}


def _telling(task: Task, truth: Truth, label: Labels, column: Levels, test: Labels) -> float:
    """By its order, or by what each of its values meant in training; of a number by a line through it."""
    if task is Task.NUMBER:
        return explained(truth.astype(np.float64), column)
    return max(single_auc(label, column), value_auc(label, column, test))
