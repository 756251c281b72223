from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from drivetrain.core.model import Signature
from drivetrain.core.project import Budget
from drivetrain.core.task import Task
from drivetrain.testing.learners import make_sample
from drivetrain.train.candidates import Entrant
from drivetrain.train.folds import plan_folds
from drivetrain.train.learner import Size
from drivetrain.train.material import Material
from drivetrain.train.memo import Memo
from drivetrain.train.race import Course, Lanes, Race
from drivetrain.train.search import Search

SAMPLE, FIELDS = make_sample(300)
PLAN = plan_folds(SAMPLE.y, seed=0)
MATERIAL = Material(Signature(FIELDS, "id", "label"), SAMPLE, PLAN, SAMPLE.x[:0])


@dataclass(frozen=True)
class Known:
    """A fitted learner that knows the answer up to so much noise."""

    noise: float
    rounds: int = 0
    size = Size(1)

    def margin(self, x):
        count = np.nan_to_num(x[:, 1])
        return count - self.noise * np.sin(1e4 * x[:, 4])


@dataclass
class Toy:
    """A learner with one knob, best at ``best``; counts its fits."""

    best: float
    penalty: float = 0.0
    fits: int = 0
    start: ClassVar = {"knob": 0.0}
    tasks = frozenset({Task.YES_NO})
    any_classes = False

    def parameters(self):
        return ("knob",)

    def suggest(self, trial):
        return {"knob": trial.suggest_float("knob", 0.0, 1.0)}

    def settled(self, params, rounds):
        return params

    def fit(self, sample, fields, params, *, seed, stop=None):
        self.fits += 1
        return Known(self.penalty + 20 * abs(params.get("knob", 0.0) - self.best))


class Listener:
    def __init__(self):
        self.steps, self.trials = 0, []

    def step(self, trial):
        self.steps += 1

    def ended(self, trial):
        self.trials.append(trial)


def search(tmp_path, toys: dict, budget: Budget, lanes: int = 2, seed: int = 0):
    entrants = [Entrant(name, toy, {}) for name, toy in toys.items()]
    with ThreadPoolExecutor(lanes) as pool:
        race = Race(Course(MATERIAL, "roc_auc", seed, Memo(tmp_path)), Lanes(pool, lanes), budget.seconds)
        listener = Listener()
        trials = Search(entrants, race, budget, seed).run(listener)
    return trials, race, listener


def shape(trials):
    return [(trial.number, trial.entrant.name, dict(trial.params), trial.scores, trial.complete) for trial in trials]


def test_defaults_come_first_then_starts_then_proposals_that_get_better(tmp_path):
    trials, race, listener = search(tmp_path, {"toy": Toy(0.7)}, Budget(trials=24))
    assert [trial.origin for trial in trials[:3]] == ["defaults", "start", "search"]
    assert len(trials) == 24
    assert abs(race.leader.params["knob"] - 0.7) < 0.1
    assert sorted(trial.number for trial in listener.trials) == list(range(24))


def test_clearly_worse_trials_end_early(tmp_path):
    trials, race, _ = search(tmp_path, {"toy": Toy(0.0)}, Budget(trials=16))
    short = [trial for trial in trials if not trial.complete]
    assert short
    assert all(len(trial.scores) < len(PLAN.steps) for trial in short)
    assert all(np.mean(trial.scores) < np.mean(race.leader.scores) for trial in short)


def test_trials_go_to_learners_within_reach(tmp_path):
    trials, _, _ = search(tmp_path, {"good": Toy(0.5), "hopeless": Toy(0.5, penalty=99.0)}, Budget(trials=20))
    assert sum(trial.entrant.name == "hopeless" for trial in trials) == 2


@pytest.mark.parametrize("lanes", [1, 3, 15])
def test_the_number_of_lanes_changes_nothing(tmp_path, lanes):
    toys = {"one": Toy(0.3), "two": Toy(0.8, penalty=1.0)}
    expected, _, _ = search(tmp_path / "two", toys, Budget(trials=14))
    found, _, _ = search(tmp_path / "other", toys, Budget(trials=14), lanes)
    assert shape(found) == shape(expected)


def test_a_search_goes_on_from_what_was_judged(tmp_path):
    first = Toy(0.4)
    expected, _, _ = search(tmp_path, {"toy": first}, Budget(trials=8))
    again = Toy(0.4)
    found, _, _ = search(tmp_path, {"toy": again}, Budget(trials=8))
    assert shape(found) == shape(expected)
    assert (first.fits > 0, again.fits) == (True, 0)


def test_torn_results_are_judged_again(tmp_path):
    search(tmp_path, {"toy": Toy(0.4)}, Budget(trials=1))
    for file in tmp_path.glob("*.judged"):
        file.write_bytes(file.read_bytes()[:10])
    again = Toy(0.4)
    search(tmp_path, {"toy": again}, Budget(trials=1))
    assert again.fits == len(PLAN.steps)


def test_no_time_still_judges_every_default_on_one_step_and_one_in_full(tmp_path):
    trials, _, _ = search(tmp_path, {"one": Toy(0.3), "two": Toy(0.8)}, Budget(seconds=1e-9))
    assert [trial.origin for trial in trials] == ["defaults", "defaults"]
    assert [trial.complete for trial in trials].count(True) == 1
    assert all(trial.scores for trial in trials)


def test_a_small_space_is_exhausted_one_day(tmp_path):
    class Tiny(Toy):
        def suggest(self, trial):
            return {"knob": trial.suggest_categorical("knob", [0.0, 0.5])}

    trials, _, _ = search(tmp_path, {"tiny": Tiny(0.5)}, Budget(seconds=60))
    assert len(trials) < 60
