"""What is told of a search while it runs: to whoever watches, and to the tracking."""

from __future__ import annotations

import numpy as np

from drivetrain.core.events import Progress
from drivetrain.core.project import ModelSpec
from drivetrain.store.tracking import Tracker, TrialRecord
from drivetrain.train.race import Race, Trial


class Teller:
    """Follows a race. Progress is counted in trials, or in seconds when only these are limited."""

    def __init__(self, spec: ModelSpec, race: Race, tracker: Tracker, progress: Progress) -> None:
        self._spec = spec
        self._race = race
        self._tracker = tracker
        self._progress = progress
        self._ended = 0

    def step(self, trial: Trial) -> None:
        """A trial passed a step."""
        share = len(trial.scores) / self._race.steps
        self._tell(self._ended + share, trial, f"step {len(trial.scores)} of {self._race.steps}")

    def ended(self, trial: Trial) -> None:
        """A trial ended."""
        self._ended += 1
        best = "best" if trial is self._race.leader else "" if trial.complete else "ended early"
        self._tell(self._ended, trial, best)
        folds = self._race.folds_of(trial)
        metrics = {self._race.metric: _mean(self._race, trial), "seconds": trial.seconds}
        metrics |= {f"fold_{number}": abs(score) for number, score in enumerate(folds)}
        params = {key: str(value) for key, value in trial.params.items()} | {"origin": trial.origin}
        state = "complete" if trial.complete else "ended early"
        self._tracker.record(TrialRecord(trial.number, trial.entrant.name, state, params, metrics))

    def _tell(self, trials: float, trial: Trial, remark: str) -> None:
        note = f"{trial.entrant.name} {_mean(self._race, trial):.4f}{f' ({remark})' if remark else ''}"
        if self._spec.budget.trials is None and self._spec.budget.seconds is not None:
            self._progress(min(self._race.spent, self._spec.budget.seconds), self._spec.budget.seconds, note)
        else:
            self._progress(trials, self._spec.budget.trials, note)


def _mean(race: Race, trial: Trial) -> float:
    return abs(float(np.mean(race.folds_of(trial) or trial.scores)))
