"""Counts what a challenger decides otherwise than the champion, block by block, in memory that does not grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import DecisionRule
from drivetrain.core.task import Task
from drivetrain.deploy.replay_report import FlipCost, SegmentFlips
from drivetrain.ops.canary import DECIDED, case_loss
from drivetrain.ops.drift import score_ranks, score_spread
from drivetrain.ops.intervals import wilson
from drivetrain.ops.segments import Segmenter
from drivetrain.store.models import ModelContent

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Names = NDArray[np.object_]


@dataclass(frozen=True)
class Answers:
    """What a release says about n rows; of classes also which, by name."""

    score: Numbers
    decision: Flags
    said: Names

    def part(self, rows: Flags) -> Answers:
        """Some of them."""
        return Answers(self.score[rows], self.decision[rows], self.said[rows])


class Tally:
    """Sums over rows that both releases took. The costs are those of the challenger's decision rule, if it has any."""

    def __init__(self, champion: ModelContent, decision: DecisionRule) -> None:
        self._segmenter = Segmenter(champion.signature, champion.reference)
        self._names = (*self._segmenter.names, *DECIDED)
        self._knots, self._ranks = score_ranks(champion.reference.score, champion.signature.task)
        # what a person costs beside a wrong class is no price of a flip: that needs the probability of each class;
        # and a price for each row is not added up here
        priced = decision.kind != "hand_over" and not decision.times
        self._prices = (decision.false_positive, decision.false_negative) if priced else (None, None)
        self._spread = score_spread(champion.reference.score) if champion.signature.task is Task.NUMBER else None
        places = len(self._names)
        self._in_segment = np.zeros(places, dtype=np.int64)
        self._flipped_in = np.zeros(places, dtype=np.int64)
        self._cost_in = np.zeros(places)
        self._costs = np.zeros(3)  # by labels; of the unlabelled by the champion's and by the challenger's scores
        self._worse = 0.0
        self._distances = np.zeros(2)  # of scores, and of their ranks
        self._positive_before = self._labelled_flips = 0
        self.rows = self.labelled = self.to_positive = self.to_negative = self.to_other_class = 0

    def add(self, rows: Numbers, champion: Answers, challenger: Answers, label: Numbers) -> None:
        """Count n rows: ``rows`` [n, F] as the champion packs them, ``label`` [n] NaN where no outcome is known."""
        turn = challenger.decision.astype(np.int64) - champion.decision
        other = np.asarray(champion.said != challenger.said, dtype=np.bool_)
        flipped = (turn != 0) | other
        self.rows += len(turn)
        self.to_other_class += int((other & (turn == 0)).sum())
        self.to_positive += int((turn > 0).sum())
        self.to_negative += int((turn < 0).sum())
        self._positive_before += int(champion.decision.sum())
        before, after = champion.score, challenger.score
        moved = np.interp(after, self._knots, self._ranks) - np.interp(before, self._knots, self._ranks)
        self._distances += np.abs(after - before).sum(), np.abs(moved).sum()
        known = ~np.isnan(label)
        ours, theirs = (case_loss(score[known], label[known], self._spread) for score in (before, after))
        worse = theirs - ours
        self.labelled += len(worse)
        self._worse += float(worse.sum())
        cost = self._add_costs(turn[flipped], before[flipped], after[flipped], label[flipped])
        self._add_segments(self._segmenter.codes(rows), champion.decision, flipped, cost)

    def _add_costs(self, turn: NDArray[np.int64], champion: Numbers, challenger: Numbers, label: Numbers) -> Numbers:
        """The change of cost of each flip, by its label where known, by the champion's score elsewhere."""
        known = ~np.isnan(label)
        self._labelled_flips += int(known.sum())
        by_champion = self._change(turn, np.where(known, label, champion))
        by_challenger = self._change(turn, challenger)
        self._costs += by_champion[known].sum(), by_champion[~known].sum(), by_challenger[~known].sum()
        return by_champion

    def _change(self, turn: NDArray[np.int64], probability: Numbers) -> Numbers:
        """What turning a decision costs more, when the target is true with that probability (Elkan 2001)."""
        false_positive, false_negative = (price or 0.0 for price in self._prices)
        return np.asarray(turn * ((1 - probability) * false_positive - probability * false_negative))

    def _add_segments(self, codes: NDArray[np.int32], decided: Flags, flipped: Flags, cost: Numbers) -> None:
        """Count rows, flips and cost by input segment, and by what the champion decides."""
        by_decision = len(self._segmenter.names) + ~decided[:, np.newaxis]
        codes = np.hstack([codes, by_decision])
        places = len(self._names)
        self._in_segment += np.bincount(codes.ravel(), minlength=places)
        of_flips = codes[flipped].ravel()
        self._flipped_in += np.bincount(of_flips, minlength=places)
        self._cost_in += np.bincount(of_flips, weights=np.repeat(cost, codes.shape[1]), minlength=places)

    @property
    def flipped(self) -> Estimate:
        """The share of decisions, or of classes, unlike the champion's."""
        return wilson("flipped", self.to_positive + self.to_negative + self.to_other_class, self.rows)

    @property
    def champion_rate(self) -> float:
        """The champion's share of positive decisions."""
        return self._positive_before / max(1, self.rows)

    @property
    def challenger_rate(self) -> float:
        """The challenger's share of positive decisions."""
        return (self._positive_before + self.to_positive - self.to_negative) / max(1, self.rows)

    @property
    def shifts(self) -> tuple[float, float]:
        """The mean distance of the two scores of a row, and of their ranks in the champion's reference."""
        score, rank = (self._distances / max(1, self.rows)).tolist()
        return score, rank

    @property
    def loss(self) -> float | None:
        """How much larger the challenger's loss is on the labelled rows, see ``case_loss``; None without any."""
        return self._worse / self.labelled if self.labelled else None

    @property
    def cost(self) -> FlipCost | None:
        """What the flips cost; None without a cost matrix."""
        false_positive, false_negative = self._prices
        if false_positive is None or false_negative is None:
            return None
        by_labels, by_champion, by_challenger = self._costs.tolist()
        unlabelled = self.to_positive + self.to_negative - self._labelled_flips
        return FlipCost(
            false_positive, false_negative, self._labelled_flips, by_labels, unlabelled, by_champion, by_challenger
        )

    def segments(self) -> tuple[SegmentFlips, ...]:
        """Every segment that has rows, those first that surely flip most."""
        priced = self.cost is not None
        found = [
            SegmentFlips(name, wilson("flipped", flips, rows), cost if priced else None)
            for name, rows, flips, cost in zip(
                self._names, self._in_segment.tolist(), self._flipped_in.tolist(), self._cost_in.tolist(),
                strict=True,
            )
            if rows
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda each: (-each.flipped.low, each.segment)))
