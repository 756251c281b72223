import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.train.comparison import behind, clearly_better

LEADER = [0.80, 0.82, 0.78, 0.81, 0.79]


def test_a_far_worse_candidate_is_behind_after_one_fold():
    assert behind([0.70], LEADER)
    assert not behind([0.795], LEADER)
    assert not behind([0.70], LEADER, least=0.2)


def test_a_little_worse_on_every_fold_is_behind_once_that_is_no_chance():
    mine = [score - 0.004 - 0.0001 * number for number, score in enumerate(LEADER)]
    assert not behind(mine[:2], LEADER)
    assert behind(mine[:3], LEADER)


def test_noise_in_both_directions_is_not_behind():
    assert not behind([0.79, 0.83, 0.775, 0.815], LEADER)


@given(st.lists(st.floats(0.5, 0.9), min_size=5, max_size=5))
def test_nobody_is_behind_oneself_or_better_than_oneself(scores):
    assert not behind(scores, scores)
    assert not clearly_better(scores, scores, 0.25)


def test_a_lucky_gain_is_not_clearly_better_but_a_steady_one_is():
    lucky = list(np.add(LEADER, [0.03, -0.01, 0.0, -0.01, 0.0]))
    steady = list(np.add(LEADER, [0.004, 0.006, 0.005, 0.005, 0.006]))
    assert not clearly_better(lucky, LEADER, 0.25)
    assert clearly_better(steady, LEADER, 0.25)
