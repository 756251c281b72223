"""One list made of two rankings, so that whoever chooses from it says which of the two they prefer.

Team draft (Radlinski, Kurup & Joachims 2008, "How does clickthrough data reflect retrieval quality?"): two captains
pick their best item that is left in turns, and a coin says in each turn who picks first. What is chosen is a point for
the team that picked it. Whoever chooses without regard to the teams gives each of them as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Pick(NamedTuple):
    """An item of the mixed list: its place in the ranking of the team that picked it, and whether that is theirs."""

    place: int
    is_theirs: bool


def team_draft(ours: Sequence[str], theirs: Sequence[str], coin: Callable[[], bool]) -> Iterator[Pick]:
    """All items of both rankings, each once; ``coin`` says whether they pick first in a turn.

    When a team has nothing left to pick, the other one goes on alone.
    """
    teams, at, taken = (ours, theirs), [0, 0], set[str]()
    turn: list[bool] = []
    while any(place < len(team) for place, team in zip(at, teams, strict=True)):
        if not turn:
            first = coin()
            turn = [first, not first]
        is_theirs = turn.pop(0)
        team = teams[is_theirs]
        while at[is_theirs] < len(team) and team[at[is_theirs]] in taken:
            at[is_theirs] += 1
        if at[is_theirs] < len(team):
            taken.add(team[at[is_theirs]])
            yield Pick(at[is_theirs], is_theirs)
