"""What is said of a row: from what a model answers to score, decision and outputs, the same wherever a model is asked.

==========  ============================  ===============================  ====================================
task        answer                        score                            decision
==========  ============================  ===============================  ====================================
yes or no   probability [n]               the same                         score >= threshold
classes     probability of each [n, K]    that of the likeliest class      sure enough: score >= threshold
number      estimate [n]                  the same                         score >= threshold (or <=)
==========  ============================  ===============================  ====================================

Outputs are those of the signature: of classes the index of the likeliest, of a number the ends of its interval; and
last, where there are rules, which of them spoke. A rule overrules the decision, and of classes the class; never the
score.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import DecisionRule, Interval, Rule, Signature
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.ops.rules import RuleBook

Rows = NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True)
class Said:
    """Of n rows: score [n], decision [n], and the outputs of the signature [n, E], all as float64 but the decision."""

    score: Numbers
    decision: Labels
    outputs: Numbers

    def __len__(self) -> int:
        return len(self.score)

    @property
    def ends(self) -> tuple[Numbers, Numbers]:
        """Of numbers: the lower and the upper end of each interval, [n] each."""
        return self.outputs[:, 0], self.outputs[:, 1]

    def part(self, rows: Rows) -> Said:
        """Some of the rows."""
        return Said(self.score[rows], self.decision[rows], self.outputs[rows])


@dataclass(frozen=True)
class Saying:
    """How the answers of one model are put. ``interval`` is that of a number; the signature names the ``rules``."""

    signature: Signature
    rule: DecisionRule
    interval: Interval | None = None
    rules: tuple[Rule, ...] = ()

    def say(self, answer: Numbers, rows: Numbers) -> Said:
        """Score, decision and outputs of the answers [n], or [n, K] of classes, to packed rows [n, F].

        A score that is NaN is decided false.
        """
        alone = self.say_alone(answer)
        if not self.rules:
            return alone
        decision, outputs = self._book.overrule(rows, alone.score, alone.decision, alone.outputs)
        return Said(alone.score, decision, outputs)

    def say_alone(self, answer: Numbers) -> Said:
        """The same without the rules, and without the output that names them."""
        score = score_of(answer)
        return Said(score, decided(self.rule, score), self._outputs(answer))

    @cached_property
    def _book(self) -> RuleBook:
        return RuleBook(self.signature, self.rules)

    def _outputs(self, answer: Numbers) -> Numbers:
        if self.signature.task is Task.CLASSES:
            return np.asarray(answer.argmax(axis=1)[:, None], dtype=np.float64)
        if self.interval is not None:
            return np.column_stack(ends(self.interval, answer))
        return np.empty((len(answer), 0))


def other_class(champion: Signature, challenger: Signature, ours: Numbers, theirs: Numbers) -> Labels | None:
    """Of which rows [n] two models say another class, by their outputs [n, E]; None where they say none.

    A class that is not said is another.
    """
    if champion.task is not Task.CLASSES:
        return None
    places = {name: place for place, name in enumerate(champion.classes)}
    known = np.array([places.get(name, -1) for name in challenger.classes])
    said = np.isfinite(theirs[:, 0])
    codes = known[np.where(said, theirs[:, 0], 0).astype(np.int64)]
    return np.asarray(~said | (codes != ours[:, 0]))


def score_of(answer: Numbers) -> Numbers:
    """The one number [n] that stands for an answer: of classes the probability of the likeliest."""
    return answer if answer.ndim == 1 else np.asarray(answer.max(axis=1))


def decided(rule: DecisionRule, score: Numbers) -> Labels:
    """What the rule makes of scores [n]."""
    return np.asarray(score <= rule.threshold if rule.below else score >= rule.threshold)


def ends(interval: Interval, estimate: Numbers) -> tuple[Numbers, Numbers]:
    """The lower and the upper end, [n] each, of the intervals around estimates [n]."""
    low = estimate + np.interp(estimate, interval.knots, interval.low)
    high = estimate + np.interp(estimate, interval.knots, interval.high)
    return np.asarray(low), np.asarray(high)
