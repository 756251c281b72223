"""Which parameters to try next: library defaults and starts first, then Optuna, where it promises most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np
import optuna
from optuna.samplers import TPESampler

from drivetrain.core.digest import canonical_json
from drivetrain.core.project import Budget
from drivetrain.train.candidates import Entrant
from drivetrain.train.learner import Params
from drivetrain.train.race import Race, Trial, Watcher

BATCH = 4
"""Proposals made at a time, whatever the number of cores."""
_RANDOM = 4
_IDLE = 5


class Search:
    """A search within a budget. The same seed and scores lead to the same trials, also after a kill."""

    def __init__(self, entrants: Sequence[Entrant], race: Race, budget: Budget, seed: int) -> None:
        self._race = race
        self._budget = budget
        self._numbers = count()
        self._entrants = entrants
        self._started = False
        self._studies = {entrant.name: _study(seed + position) for position, entrant in enumerate(entrants)}
        self._tried: set[bytes] = set()
        self.trials: list[Trial] = []

    def run(self, watcher: Watcher) -> tuple[Trial, ...]:
        """Race batch after batch, within sight of ``watcher``. Gives all trials by number."""
        batch, idle = self._defaults(), 0
        while batch and idle < _IDLE:
            self.trials += batch
            for trial in self._race.run(batch, watcher):
                self._tell(trial)
            idle = 0 if self._remember(batch) else idle + 1
            batch = self._starts() or self._proposals()
        return tuple(self.trials)

    def _defaults(self) -> list[Trial]:
        """The library's defaults of every entrant, whatever the budget."""
        return [Trial(next(self._numbers), entrant, entrant.fixed, "defaults") for entrant in self._entrants]

    def _starts(self) -> list[Trial]:
        """Once, the starting points, those of the entrants with the best defaults first."""
        if self._started:
            return []
        self._started = True
        ranked = sorted(self.trials, key=lambda trial: -trial.scores[0])
        able = [trial.entrant for trial in ranked if trial.entrant.learner.start is not None]
        return [self._ask(entrant, entrant.learner.start) for entrant in able[: self._room(len(able))]]

    def _room(self, wanted: int) -> int:
        """How many of so many trials the budget still allows."""
        left = wanted if self._budget.trials is None else self._budget.trials - len(self.trials)
        return 0 if self._race.over else max(0, min(wanted, left))

    def _proposals(self) -> list[Trial]:
        choice = self._promising()
        made: list[Trial] = []
        for _ in range(self._room(BATCH) if choice else 0):
            tries = {entrant.name: self._count(entrant, [*self.trials, *made]) for entrant in choice}
            made.append(self._ask(min(choice, key=lambda entrant: tries[entrant.name]), None))
        return made

    def _promising(self) -> list[Entrant]:
        """The entrants that can be searched and whose best trial is not clearly behind; all of them if none is."""
        searchable = [entrant for entrant in self._entrants if entrant.learner.start is not None]
        near = [entrant for entrant in searchable if any(self._in_reach(trial) for trial in self._of(entrant))]
        return near or searchable

    def _in_reach(self, trial: Trial) -> bool:
        return trial.complete and not self._race.behind(trial)

    def _of(self, entrant: Entrant) -> list[Trial]:
        return [trial for trial in self.trials if trial.entrant.name == entrant.name]

    def _ask(self, entrant: Entrant, start: Params | None) -> Trial:
        study = self._studies[entrant.name]
        if start is not None:
            study.enqueue_trial(dict(start))
        asked = study.ask()
        params = {**entrant.learner.suggest(asked), **entrant.fixed}
        return Trial(next(self._numbers), entrant, params, "start" if start else "search", asked)

    def _tell(self, trial: Trial) -> None:
        """Optuna hears the mean over folds of a complete trial, and of another one how far it came."""
        if trial.asked is None:
            return
        study = self._studies[trial.entrant.name]
        for step in range(len(trial.scores)):
            trial.asked.report(float(np.mean(trial.scores[: step + 1])), step)
        if trial.complete:
            study.tell(trial.asked, float(np.mean(self._race.folds_of(trial))))
        else:
            study.tell(trial.asked, state=optuna.trial.TrialState.PRUNED)

    def _remember(self, batch: Sequence[Trial]) -> bool:
        """Whether anything in the batch was tried for the first time; a small space is exhausted one day."""
        before = len(self._tried)
        self._tried |= {canonical_json([trial.entrant.name, dict(trial.params)]) for trial in batch}
        return len(self._tried) > before

    @staticmethod
    def _count(entrant: Entrant, trials: Sequence[Trial]) -> int:
        return sum(trial.entrant.name == entrant.name for trial in trials)


def _study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = TPESampler(seed=seed, n_startup_trials=_RANDOM, multivariate=True)
    return optuna.create_study(direction="maximize", sampler=sampler)
