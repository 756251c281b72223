"""Cross-validated scores with their intervals: of the model, and of every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.digest import canonical_json
from drivetrain.core.model import CandidateScore
from drivetrain.core.task import Metric
from drivetrain.ops.intervals import bootstrap
from drivetrain.ops.links import plain_link
from drivetrain.ops.metrics import Numbers, Truth
from drivetrain.train.choice import Judge
from drivetrain.train.folds import Plan
from drivetrain.train.learner import Rows
from drivetrain.train.race import Trial

_WORK = 5_000_000


def estimate(metric: Metric, truth: Truth, answers: Numbers, seed: int, work: int = 3 * _WORK) -> Estimate:
    """The metric of out-of-fold answers [repeats, n (, K)] to truths [n]: value and interval, averaged over repeats.

    300 bootstrap rounds, fewer (at least 50) when they would draw more than ``work`` cases.
    """
    rounds = int(np.clip(work // len(truth), 50, 300))
    parts = [bootstrap(metric, truth, row, seed=seed, rounds=rounds) for row in answers]
    value, low, high = (float(np.mean([getattr(part, end) for part in parts])) for end in ("value", "low", "high"))
    return Estimate(metric, value, low, high, len(truth))


def candidate_scores(
    trials: Sequence[Trial], chosen: Sequence[Trial], judge: Judge, pool: ThreadPoolExecutor, seed: int
) -> tuple[CandidateScore, ...]:
    """A line for each candidate: its chosen or best trial, judged on the folds that this trial passed."""
    names = list(dict.fromkeys(trial.entrant.name for trial in trials))
    groups = [[trial for trial in trials if trial.entrant.name == name] for name in names]
    shown = [next((trial for trial in group if trial in chosen), _best(group, judge)) for group in groups]
    estimates = pool.map(lambda trial: _of(trial, judge, seed), shown)
    return tuple(
        CandidateScore(
            name=trial.entrant.name,
            estimate=found,
            params=canonical_json(dict(trial.params)).decode(),
            trials=len(group),
            defaults=trial.origin == "defaults",
        )
        for trial, found, group in zip(shown, estimates, groups, strict=True)
    )


def _best(group: Sequence[Trial], judge: Judge) -> Trial:
    """The best complete trial, or else the one that came farthest, or scored highest of those."""
    return judge.best(group) or max(group, key=lambda trial: (len(trial.scores), float(np.mean(trial.scores))))


def _of(trial: Trial, judge: Judge, seed: int) -> Estimate:
    link = plain_link(judge.sample.task)
    if trial.complete:
        return estimate(judge.metric, judge.sample.y, link.apply(judge.margins(trial)), seed, _WORK)
    rows, margin = _partial(trial, judge.plan, judge.sample.classes)
    return estimate(judge.metric, judge.sample.y[rows], link.apply(margin)[None], seed, _WORK)


def _partial(trial: Trial, plan: Plan, classes: int) -> tuple[Rows, Numbers]:
    """Held rows and their margins of a trial that ended early: its folds of the first repeat, or its screen."""
    steps = list(zip(plan.steps, trial.judged, strict=False))
    counting = [(fold, judged) for fold, judged in steps if fold is not plan.screen and fold.repeat == 0] or steps
    rows = np.concatenate([fold.held for fold, _ in counting])
    return rows, np.concatenate([judged.margin(classes) for _, judged in counting])
