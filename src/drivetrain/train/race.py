"""One candidate after another over the same folds; whoever is clearly behind the leader stops there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import optuna

from drivetrain.core.task import Metric
from drivetrain.ops.links import plain_link
from drivetrain.ops.metrics import Numbers, Truth, higher_is_better, measure
from drivetrain.ops.truth import always
from drivetrain.train.candidates import Entrant
from drivetrain.train.comparison import behind
from drivetrain.train.fitting import fit as fit_learner
from drivetrain.train.folds import Fold, hold_back
from drivetrain.train.lanes import Lanes
from drivetrain.train.learner import EARLY, Params
from drivetrain.train.material import Material
from drivetrain.train.memo import Judged, Memo

_NEAR = 0.01
_HOPELESS = 0.05
"""Shares of the leader's skill, its distance from chance: within the first a fold or two decide nothing; by more than
the second a candidate must be behind to be given up after the screen, because some learn faster than others."""
Origin = Literal["defaults", "start", "search"]


@dataclass
class Trial:
    """One set of parameters of one entrant, and what it reached so far: a result and a score for each step."""

    number: int
    entrant: Entrant
    params: Params
    origin: Origin
    asked: optuna.Trial | None = None
    judged: list[Judged] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    complete: bool = False

    @property
    def seconds(self) -> float:
        """Time spent on all its steps."""
        return sum(judged.seconds for judged in self.judged)


@dataclass(frozen=True)
class Course:
    """What is the same for all who race."""

    material: Material
    metric: Metric
    seed: int
    memo: Memo

    def score(self, fold: Fold, judged: Judged) -> float:
        """The metric on a fold's held rows, turned so that higher is better."""
        sample = self.material.sample
        return self._measured(sample.y[fold.held], plain_link(sample.task).apply(judged.margin(sample.classes)))

    @cached_property
    def chance(self) -> float:
        """What always answering the same, the base rate or the mean, would score."""
        sample = self.material.sample
        return self._measured(sample.y, always(sample.task, sample.classes, sample.y, len(sample)))

    def _measured(self, truth: Truth, answer: Numbers) -> float:
        value = measure(self.metric, truth, answer)
        return value if higher_is_better(self.metric) else -value

    def judge(self, entrant: Entrant, params: Params, step: int) -> Judged:
        """Fit on a step's rows and judge on its held rows, unless that is known already."""
        known = self.memo.get(entrant, params, step)
        if known is not None:
            return known
        begun = time.perf_counter()
        fold = self.material.plan.steps[step]
        fit, stop = self.material.sample.take(fold.fit), None
        if params.get(EARLY) is True:
            kept, held_back = hold_back(fit, self.seed)
            fit, stop = fit.take(kept), fit.take(held_back)
        fitted = fit_learner(entrant.learner, fit, self.material.signature.inputs, params, seed=self.seed, stop=stop)
        margin = np.ascontiguousarray(fitted.margin(self.material.sample.x[fold.held]), dtype=np.float64)
        judged = Judged(margin.tobytes(), fitted.rounds, time.perf_counter() - begun)
        self.memo.put(entrant, params, step, judged)
        return judged


class Watcher(Protocol):
    """Whoever follows a race."""

    def step(self, trial: Trial) -> None:
        """A trial passed a step."""
        ...

    def ended(self, trial: Trial) -> None:
        """A trial ended."""
        ...


class Race:
    """Runs trials over a course, several folds at a time. The outcome does not depend on how many.

    ``spent`` counts the seconds of all steps, also of those before a kill.
    """

    def __init__(self, course: Course, lanes: Lanes, seconds: float | None) -> None:
        self._course = course
        self._lanes = lanes
        self._seconds = seconds
        self.spent = 0.0
        self.leader: Trial | None = None

    @property
    def metric(self) -> Metric:
        """What the race is about."""
        return self._course.metric

    @property
    def steps(self) -> int:
        """How many steps a complete trial has."""
        return len(self._course.material.plan.steps)

    @property
    def over(self) -> bool:
        """Whether the time is used up, but for the final fit of the leader."""
        if self._seconds is None or self.leader is None:
            return False
        return self.spent + 1.3 * max(judged.seconds for judged in self.leader.judged) >= self._seconds

    def run(self, trials: Sequence[Trial], watcher: Watcher) -> Iterator[Trial]:
        """First one step for each trial, then the rest of the steps, the most promising trial first."""
        for trial, result in zip(trials, self._judge([(trial, 0) for trial in trials]), strict=True):
            self._note(trial, result)
        for trial in sorted(trials, key=lambda trial: -trial.scores[0]):
            self._finish(trial, watcher)
            watcher.ended(trial)
            yield trial

    def folds_of(self, trial: Trial) -> list[float]:
        """The scores that count: those of the folds, without the screen."""
        return trial.scores[self._screens :]

    def behind(self, trial: Trial) -> bool:
        """Whether a trial is clearly behind the leader on the steps that it has passed."""
        if self.leader is None or self.leader is trial:
            return False
        theirs = self.folds_of(self.leader)
        skill = float(np.mean(theirs)) - self._course.chance
        if folds := self.folds_of(trial):
            return behind(folds, theirs, least=_NEAR * skill)
        return self.leader.scores[0] - trial.scores[0] > _HOPELESS * skill

    @property
    def _screens(self) -> int:
        return int(self._course.material.plan.screen is not None)

    def _finish(self, trial: Trial, watcher: Watcher) -> None:
        while len(trial.scores) < self.steps:
            if self.over or self.behind(trial):
                return
            ahead = range(len(trial.scores), min(self.steps, len(trial.scores) + self._lanes.count))
            for result in self._judge([(trial, step) for step in ahead]):
                self._note(trial, result)
                watcher.step(trial)
                if self.behind(trial):
                    return  # what the other lanes found beyond this step is not looked at
        trial.complete = True
        if self.leader is None or np.mean(self.folds_of(trial)) > np.mean(self.folds_of(self.leader)):
            self.leader = trial

    def _judge(self, tasks: Sequence[tuple[Trial, int]]) -> list[Judged]:
        course = self._course
        found = list(self._lanes.pool.map(lambda task: course.judge(task[0].entrant, task[0].params, task[1]), tasks))
        times = [judged.seconds for judged in found]
        self.spent += max(*times, sum(times) / self._lanes.count)
        return found

    def _note(self, trial: Trial, judged: Judged) -> None:
        trial.scores.append(self._course.score(self._course.material.plan.steps[len(trial.scores)], judged))
        trial.judged.append(judged)
