"""Which trial wins, whether a blend of several is worth it, and the sentence that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.task import Metric
from drivetrain.ops.links import plain_link
from drivetrain.ops.metrics import Numbers, higher_is_better, measure
from drivetrain.train.comparison import clearly_better
from drivetrain.train.folds import Plan
from drivetrain.train.learner import Sample
from drivetrain.train.race import Trial

_STEPS = 10


@dataclass(frozen=True)
class Judge:
    """What it takes to score out-of-fold margins fold by fold: the cases, the folds, the metric."""

    sample: Sample
    plan: Plan
    metric: Metric

    def margins(self, trial: Trial) -> Numbers:
        """Out-of-fold margins of a complete trial: [repeats, n], or [repeats, n, K] of classes."""
        classes = self.sample.classes
        found = np.empty((self.plan.repeats, len(self.sample), *([classes] if classes else [])))
        judged = trial.judged[-len(self.plan.folds) :]
        for fold, result in zip(self.plan.folds, judged, strict=True):
            found[fold.repeat, fold.held] = result.margin(classes)
        return found

    def scores(self, margins: Numbers) -> list[float]:
        """The metric on each fold, turned so that higher is better."""
        sign = 1.0 if higher_is_better(self.metric) else -1.0
        answer = plain_link(self.sample.task).apply(margins)
        return [
            sign * measure(self.metric, self.sample.y[fold.held], answer[fold.repeat, fold.held])
            for fold in self.plan.folds
        ]

    def better(self, mine: Sequence[float], other: Sequence[float]) -> bool:
        """Whether fold scores are better by more than their noise."""
        return clearly_better(mine, other, self.plan.held_share)

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best complete trial; a later one displaces an earlier one only when it is clearly better."""
        winner: Trial | None = None
        for trial in sorted((trial for trial in trials if trial.complete), key=lambda trial: trial.number):
            if winner is None or self.better(self._folds(trial), self._folds(winner)):
                winner = trial
        return winner

    def _folds(self, trial: Trial) -> list[float]:
        return trial.scores[-len(self.plan.folds) :]


@dataclass(frozen=True)
class Choice:
    """The trials of the final model and their weights, its out-of-fold margins [repeats, n (, K)], and why."""

    parts: tuple[tuple[Trial, float], ...]
    margins: Numbers
    why: str


def choose(trials: Sequence[Trial], judge: Judge, min_gain: float) -> Choice:
    """The best single trial, or a blend that gains at least ``min_gain`` over it, and more than noise."""
    best = judge.best(trials)
    assert best is not None, "the first trial of a race always completes"
    alone = judge.margins(best)
    named = _named(best, float(np.mean(judge.scores(alone))), judge.metric)
    members = [best, *_others(trials, best, judge)]
    if len(members) == 1:
        return Choice(((best, 1.0),), alone, f"{named}; there was nothing to blend it with")
    weights, blended = _blend(members, judge)
    gain = float(np.mean(judge.scores(blended)) - np.mean(judge.scores(alone)))
    if len(weights) == 1:
        return Choice(((best, 1.0),), alone, f"{named}; no blend with another candidate is better")
    names = " + ".join(f"{weight:.2f} {members[position].entrant.name}" for position, weight in weights.items())
    if gain < min_gain or not judge.better(judge.scores(blended), judge.scores(alone)):
        asked = f"less than the {min_gain:g} asked for" if gain < min_gain else "no more than noise"
        return Choice(((best, 1.0),), alone, f"{named}; the blend {names} would gain {gain:.5f}, {asked}")
    parts = tuple((members[position], weight) for position, weight in weights.items())
    return Choice(parts, blended, f"the blend {names} gains {gain:.5f} over the best alone ({named})")


def _others(trials: Sequence[Trial], best: Trial, judge: Judge) -> list[Trial]:
    names = dict.fromkeys(trial.entrant.name for trial in trials if trial.entrant.name != best.entrant.name)
    found = (judge.best([trial for trial in trials if trial.entrant.name == name]) for name in names)
    return [trial for trial in found if trial is not None]


def _blend(members: Sequence[Trial], judge: Judge) -> tuple[Mapping[int, float], Numbers]:
    """Weights in tenths of members' margins, found greedily with replacement (Caruana et al. 2004), and the blend."""
    margins = [judge.margins(trial) for trial in members]
    picked, total = [0], margins[0]
    best_picked, best_score = [0], float(np.mean(judge.scores(total)))
    for size in range(2, _STEPS + 1):
        scores = [float(np.mean(judge.scores((total + margin) / size))) for margin in margins]
        position = int(np.argmax(scores))
        picked, total = [*picked, position], total + margins[position]
        if scores[position] > best_score:
            best_picked, best_score = picked, scores[position]
    weights = {position: times / len(best_picked) for position, times in sorted(Counter(best_picked).items())}
    return weights, np.sum([weight * margins[position] for position, weight in weights.items()], axis=0)


def _named(best: Trial, score: float, metric: Metric) -> str:
    told = {"defaults": "library defaults", "start": "a known good start", "search": "searched"}[best.origin]
    return f"{best.entrant.name} (trial {best.number}, {told}) is best with {metric} {abs(score):.5f}"
