import numpy as np
import pytest

from drivetrain.train.candidates import Entrant
from drivetrain.train.choice import Judge, choose
from drivetrain.train.folds import plan_folds
from drivetrain.train.learner import Sample
from drivetrain.train.learners.logistic import Logistic
from drivetrain.train.memo import Judged
from drivetrain.train.race import Trial

CHANCE = np.random.default_rng(0)
LABEL = CHANCE.random(6_000) < 0.3
JUDGE = Judge(Sample(np.zeros((6_000, 1)), LABEL), plan_folds(LABEL, seed=0), "roc_auc")


def trial(number: int, name: str, margins, *, complete: bool = True) -> Trial:
    """A trial whose out-of-fold log-odds are ``margins``."""
    made = Trial(number, Entrant(name, Logistic(), {}), {"C": number + 1.0}, "search", complete=complete)
    made.judged = [Judged(margins[fold.held].tobytes(), 0, 0.1) for fold in JUDGE.plan.folds]
    made.scores = JUDGE.scores(margins[None, :])
    return made


def noisy(signal: float):
    return signal * LABEL + CHANCE.normal(size=len(LABEL))


def test_the_better_trial_wins_and_says_so():
    good = noisy(2.0)
    choice = choose([trial(0, "one", noisy(1.0)), trial(1, "two", good)], JUDGE, min_gain=0.5)
    assert [(part.entrant.name, weight) for part, weight in choice.parts] == [("two", 1.0)]
    assert choice.why.startswith("two (trial 1, searched) is best with roc_auc 0.9")
    assert np.array_equal(choice.margins[0], good)


def test_a_gain_within_the_noise_does_not_displace_the_earlier_trial():
    margins = noisy(1.5)
    lucky = margins + 0.003 * LABEL * (CHANCE.random(len(LABEL)) < 0.2)
    choice = choose([trial(0, "one", margins), trial(1, "one", CHANCE.permutation([0.0]) + lucky)], JUDGE, 0.0005)
    assert choice.parts[0][0].number in {0, 1}
    slightly = margins + 1e-4 * CHANCE.normal(size=len(LABEL))
    choice = choose([trial(0, "one", margins), trial(1, "one", slightly)], JUDGE, 0.0005)
    assert choice.parts[0][0].number == 0


def test_candidates_that_err_apart_are_blended():
    members = [trial(number, name, noisy(1.0)) for number, name in enumerate(["one", "two", "three"])]
    choice = choose(members, JUDGE, min_gain=0.0005)
    assert {part.entrant.name for part, _ in choice.parts} == {"one", "two", "three"}
    assert sum(weight for _, weight in choice.parts) == pytest.approx(1.0)
    expected = sum(weight * JUDGE.margins(part) for part, weight in choice.parts)
    assert np.allclose(choice.margins, expected)
    assert "gains 0.0" in choice.why or "gains 0.1" in choice.why


def test_a_blend_that_brings_less_than_asked_is_told_and_left():
    members = [trial(0, "one", noisy(1.0)), trial(1, "two", noisy(1.0))]
    choice = choose(members, JUDGE, min_gain=0.4)
    assert len(choice.parts) == 1
    assert "less than the 0.4 asked for" in choice.why


def test_a_worse_twin_adds_nothing():
    margins = noisy(1.0)
    worse = margins + CHANCE.normal(size=len(LABEL))
    choice = choose([trial(0, "one", margins), trial(1, "two", worse)], JUDGE, min_gain=0.0)
    assert len(choice.parts) == 1


def test_trials_that_ended_early_are_not_chosen():
    choice = choose([trial(0, "one", noisy(0.5)), trial(1, "two", noisy(3.0), complete=False)], JUDGE, 0.0005)
    assert [part.entrant.name for part, _ in choice.parts] == ["one"]
    assert "nothing to blend it with" in choice.why
