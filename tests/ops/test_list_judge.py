"""The judge of mixed lists: a worse recommender is found, an equal one stays, and guardrails hold."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.list_judge import NOTHING, ListJudge, ListShown, compared

RULE = CanaryRule()
GOOD = ListShown(("mug", "bag", "lamp", ""), 0, 0.002)


def lists_until(challenger: ListShown, most: int = 2000, judge: ListJudge | None = None) -> int:
    """After how many lists there is an alarm; ``most`` when there is none."""
    judge = judge or ListJudge(RULE, 0.05)
    for number in range(1, most + 1):
        if judge.see(compared(GOOD, challenger)):
            return number
    return most


def chosen_until(share: float, seed: int, most: int = 2000) -> int:
    """The same for choices, of which the challenger gets a ``share``."""
    judge, random = ListJudge(RULE, 0.05), np.random.default_rng(seed)
    for seen in range(20, most + 1, 20):
        if judge.outcome(np.where(random.random(20) < share, -1.0, 1.0)):
            return seen
    return most


def test_lists_are_compared_as_they_would_be_shown_alone() -> None:
    found = compared(GOOD, ListShown(("mug", "mug"), 1, 0.004))
    assert (found.missing, found.sold_out, found.less_diverse) == (0.5, 0.5, 0.5)
    assert compared(GOOD, NOTHING).missing == 1.0
    assert compared(NOTHING, GOOD).missing == 0.0


@pytest.mark.parametrize(
    ("challenger", "criterion"),
    [
        (NOTHING, "errors"),
        (ListShown(GOOD.kinds, 4, 0.002), "stock"),
        (ListShown(("mug",) * 4, 0, 0.002), "diversity"),
        (ListShown(GOOD.kinds, 0, 0.02), "latency"),
    ],
)
def test_every_guardrail_stops_a_challenger_within_100_lists(challenger: ListShown, criterion: str) -> None:
    judge = ListJudge(RULE, 0.05)
    assert lists_until(challenger, judge=judge) < 100
    assert judge.alarm is not None
    assert judge.alarm.criterion == criterion
    assert f"{judge.rows:,} " in judge.alarm.detail


def test_a_challenger_as_good_passes_every_guardrail() -> None:
    judge = ListJudge(RULE, 0.05)
    assert lists_until(ListShown(("bag", "mug", "", "lamp"), 0, 0.003), judge=judge) == 2000
    judge.outcome(np.array([1.0, -1.0, 0.0]))
    assert judge.labels == 3
    standing = {each.criterion: each for each in judge.summary()}
    assert set(standing) == {"errors", "stock", "diversity", "latency", "choices"}
    assert all(each.evidence < 0.5 for each in standing.values())


def test_whose_items_are_chosen_less_goes_and_the_sooner_the_worse_it_is() -> None:
    """Medians of lists from which something was chosen; docs/rolling-out.md tells them."""
    after = [float(np.median([chosen_until(share, seed) for seed in range(30)])) for share in (0.0, 0.3, 0.4)]
    assert after[0] <= 20
    assert after[0] < after[1] <= 100
    assert after[1] < after[2] <= 450


@pytest.mark.slow
def test_an_equal_challenger_is_seldom_rolled_back_however_often_one_looks() -> None:
    """One criterion of five may raise a hundredth of all alarms; at the bound itself, where it is worst."""
    wrong = sum(chosen_until((1 - RULE.max_less_chosen) / 2, seed) < 2000 for seed in range(400))
    assert wrong <= 400 * 0.05 / 5 + 4
