"""A team draft: each item once, each team in turns, and no team is preferred."""

from __future__ import annotations

from itertools import cycle
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.draft import Pick, team_draft

RANKING = st.lists(st.sampled_from("abcdefghij"), unique=True)


def names(ours: list[str], theirs: list[str], coins: list[bool]) -> str:
    flips = cycle(coins)
    return "".join(
        (theirs if pick.is_theirs else ours)[pick.place] for pick in team_draft(ours, theirs, flips.__next__)
    )


def test_captains_pick_in_turns_and_a_coin_says_who_is_first() -> None:
    assert names(["a", "b", "c"], ["b", "d", "a"], [False]) == "abcd"
    assert names(["a", "b", "c"], ["b", "d", "a"], [True]) == "badc"
    assert list(team_draft([], ["x"], lambda: False)) == [Pick(0, True)]


@given(ours=RANKING, theirs=RANKING, seed=st.integers(0, 99))
def test_every_item_is_there_once_and_no_team_is_ever_more_than_one_pick_ahead(ours, theirs, seed) -> None:
    random = Random(seed)
    picks = list(team_draft(ours, theirs, lambda: random.random() < 0.5))
    found = [(theirs if pick.is_theirs else ours)[pick.place] for pick in picks]
    assert sorted(found) == sorted({*ours, *theirs})
    ahead = 0
    for number, pick in enumerate(picks):
        ahead += 1 if pick.is_theirs else -1
        left = set(ours) - set(found[: number + 1]), set(theirs) - set(found[: number + 1])
        assert abs(ahead) <= 1 or not all(left), "only who has nothing left falls behind"


def test_who_chooses_without_regard_to_the_teams_gives_each_as_much() -> None:
    """Whatever the rankings are: here one team is the other one's turned round, and the first item is always taken."""
    random, ours = Random(1), [*"abcdefghij"]
    won = sum(next(team_draft(ours, ours[::-1], lambda: random.random() < 0.5)).is_theirs for _ in range(4000))
    assert 1850 < won < 2150
