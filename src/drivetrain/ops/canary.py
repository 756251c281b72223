"""The judge of a canary: what a challenger answers, held row by row against the champion's answers to the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.model import Reference, Signature
from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.criteria import (
    Alarm,
    Criterion,
    Panel,
    Standing,
    answer_streams,
    outcome_streams,
    segment_streams,
)
from drivetrain.ops.drift import score_ranks
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.ops.segments import Segmenter

__all__ = ["Alarm", "CanaryJudge", "Criterion", "Pairs", "Standing"]

FIRST, BLOCK = 8, 64
"""Rows, and labels, are judged after 8, 16, 32 and 64, then every 64: a block costs little more than a row."""

JITTER = 50e-6
"""Seconds: a turn that took longer by less than this was not slower."""

DECIDED = ("the champion decides true", "the champion decides false")
"""Segments beside those of the inputs: where one row in a hundred is decided true, these are all that matters."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """n rows of one turn that both models scored.

    ``rows`` float64 [n, F] as the judge's signature packs them, scores float64 [n] (NaN: no score), decisions bool [n],
    and the seconds that each model took for all of them together; where there are classes, of which rows they say
    another one. Arrays are kept, and must not change later.
    """

    rows: Numbers
    champion_score: Numbers
    challenger_score: Numbers
    champion_decision: Labels
    challenger_decision: Labels
    champion_seconds: float
    challenger_seconds: float
    other_class: Labels | None = None

    @property
    def unlike(self) -> Labels:
        """Which rows are decided otherwise, or said to be of another class."""
        decided = self.champion_decision != self.challenger_decision
        return np.asarray(decided if self.other_class is None else decided | self.other_class)


class CanaryJudge:
    """Watches one challenger: feed it with ``see`` and ``outcome`` until there is an alarm, or it ``passed``.

    ``alpha`` replaces the rule's rate of false alarms where several judges share one trial. ``rows`` and ``labels``
    count what was seen. An ``alarm`` stays.
    """

    unit = "rows"

    def __init__(
        self, rule: CanaryRule, signature: Signature, reference: Reference, alpha: float | None = None
    ) -> None:
        self.rows = 0
        self.labels = 0
        self.alarm: Alarm | None = None
        self._rule = rule
        self._turns: list[Pairs] = []
        self._unjudged = 0
        self._worse: list[float] = []
        self._segmenter = Segmenter(signature, reference)
        self._knots, self._ranks = score_ranks(reference.score, signature.task)
        rate = rule.false_alarm_rate if alpha is None else alpha
        names = (*self._segmenter.names, *DECIDED)
        self._answers = Panel(answer_streams(rule), rate, rule.rows)
        self._segments = Panel(segment_streams(rule, names), rate, rule.rows)
        self._outcomes = Panel(outcome_streams(rule, signature.task), rate, rule.rows)

    @property
    def passed(self) -> bool:
        """Whether enough rows and labels were seen without an alarm."""
        return self.alarm is None and self.rows >= self._rule.rows and self.labels >= self._rule.labels

    def see(self, pairs: Pairs) -> Alarm | None:
        """The next turn. The alarm, once there is one."""
        new = len(pairs.champion_score)
        if new == 0:
            return self.alarm
        self._turns.append(pairs)
        self._unjudged += new
        self.rows += new
        if _due(self._unjudged, self.rows, new, self._rule.rows):
            self._judge(self._turns)
            self._turns, self._unjudged = [], 0
        return self.alarm

    def outcome(self, champion_loss: Numbers, challenger_loss: Numbers) -> Alarm | None:
        """How wrong both were on n rows, [n] each, from 0 to 1 (see ``case_loss``). The alarm, once there is one."""
        worse = challenger_loss - champion_loss
        new = worse[~np.isnan(worse)].tolist()
        self._worse += new
        self.labels += len(new)
        if _due(len(self._worse), self.labels, len(new), self._rule.labels):
            self._outcomes.tests.see(np.array([self._worse]))
            self._worse = []
            self.alarm = self.alarm or self._outcomes.alarm(self.rows)
        return self.alarm

    def summary(self) -> tuple[Standing, ...]:
        """Where each criterion stands, by its worst segment or direction."""
        panels = (self._answers, self._segments, self._outcomes)
        return tuple(standing for panel in panels for standing in panel.standings())

    def _judge(self, turns: Sequence[Pairs]) -> None:
        block = _joined(turns)
        apart = np.abs(self._rank(block.challenger_score) - self._rank(block.champion_score))
        scored = ~np.isnan(apart)
        unlike = block.unlike
        change = np.where(scored, block.challenger_decision.astype(np.float64) - block.champion_decision, np.nan)
        slower = np.full(len(apart), np.nan)
        slower[: len(turns)] = [self._slower(pairs) for pairs in turns]
        missing = np.where(np.isnan(block.champion_score), np.nan, np.isnan(block.challenger_score))
        # in the order of answer_streams
        values = np.array([missing, np.where(scored, unlike, np.nan), change, -change, apart, slower])
        self._answers.tests.see(values)
        self._count(block.rows[scored], block.champion_decision[scored], unlike[scored])
        self.alarm = self.alarm or self._answers.alarm(self.rows) or self._segments.alarm(self.rows)

    def _count(self, rows: Numbers, decided: Labels, unlike: Labels) -> None:
        """Of the scored rows, how many lie in each segment, and how many of them are decided otherwise."""
        codes = self._segmenter.codes(rows)
        kinds = len(self._segmenter.names)
        ones, both = (
            np.append(np.bincount(codes[chosen].ravel(), minlength=kinds), np.bincount(~decided[chosen], minlength=2))
            for chosen in (unlike, slice(None))
        )
        self._segments.tests.count(ones, both)

    def _rank(self, score: Numbers) -> Numbers:
        return np.asarray(np.interp(score, self._knots, self._ranks))

    def _slower(self, pairs: Pairs) -> bool:
        limit = max(self._rule.max_slower * pairs.champion_seconds, pairs.champion_seconds + JITTER)
        return pairs.challenger_seconds > limit


def case_loss(score: Numbers, label: Numbers, spread: float | None = None) -> Numbers:
    """How wrong each score [n] was, from 0 to 1: the Brier score; of numbers the error as a share of ``spread``.

    An error of more than the spread counts as one of the spread: a bet needs values with ends.
    """
    if spread is None:
        return np.square(score.clip(0, 1) - label)
    return np.minimum(np.abs(score - label) / spread, 1.0)


def _due(waiting: int, seen: int, new: int, enough: int) -> bool:
    """Whether it is time to judge what waits; also when the ``new`` ones are those that make it enough to pass."""
    return waiting >= min(BLOCK, max(FIRST, seen - waiting)) or seen - new < enough <= seen


def _joined(turns: Sequence[Pairs]) -> Pairs:
    if len(turns) == 1:
        return turns[0]
    return Pairs(
        np.concatenate([pairs.rows for pairs in turns]),
        np.concatenate([pairs.champion_score for pairs in turns]),
        np.concatenate([pairs.challenger_score for pairs in turns]),
        np.concatenate([pairs.champion_decision for pairs in turns]),
        np.concatenate([pairs.challenger_decision for pairs in turns]),
        sum(pairs.champion_seconds for pairs in turns),
        sum(pairs.challenger_seconds for pairs in turns),
        None if turns[0].other_class is None else np.concatenate([pairs.unlike for pairs in turns]),
    )
