"""The judge of two recommenders whose lists are mixed: choices say who is better, and guardrails who is safe.

Nothing is compared row by row, because each finds items of its own. See ``ops.draft`` for how lists are mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.canary import JITTER
from drivetrain.ops.criteria import Alarm, Panel, Standing, Stream, latency_stream
from drivetrain.ops.metrics import Numbers

_CRITERIA = 5


@dataclass(frozen=True)
class ListShown:
    """A list: the category of each item (empty: none, and another kind than all else), and how long it took.

    ``sold_out`` counts the items that the champion's catalogue calls so.
    """

    kinds: tuple[str, ...]
    sold_out: int
    seconds: float

    @property
    def diversity(self) -> float:
        """How many kinds of things there are, as a share of the items."""
        named = [kind for kind in self.kinds if kind]
        return (len(set(named)) + len(self.kinds) - len(named)) / len(self.kinds)


NOTHING = ListShown((), 0, float("nan"))
"""The list of a challenger that gave none."""


@dataclass(frozen=True)
class TwoLists:
    """What two recommenders would show the same customer, compared; shares go from 0 to 1.

    ``missing``: how much shorter the challenger's list is; ``sold_out``: what of it the champion's catalogue calls sold
    out; ``less_diverse``: how many more kinds of things the champion's has, a share of its items (below 0: fewer); and
    the seconds that each took. NaN: cannot be compared.
    """

    missing: float
    sold_out: float
    less_diverse: float
    champion_seconds: float
    challenger_seconds: float


def compared(champion: ListShown, challenger: ListShown) -> TwoLists:
    """The lists of both, each as it would be shown alone."""
    missing = max(0.0, 1 - len(challenger.kinds) / len(champion.kinds)) if champion.kinds else 0.0
    sold_out = challenger.sold_out / len(challenger.kinds) if challenger.kinds else float("nan")
    both = champion.kinds and challenger.kinds
    less = champion.diversity - challenger.diversity if both else float("nan")
    return TwoLists(missing, sold_out, less, champion.seconds, challenger.seconds)


class ListJudge:
    """Watches one challenger: feed it with ``see`` and ``outcome`` until there is an alarm, or enough was seen.

    ``alpha`` is the rate of false alarms over all criteria and however long it looks: see ``ops.sequential``. ``rows``
    counts lists, ``labels`` those of which something was chosen. An ``alarm`` stays.
    """

    unit = "recommendations"

    def __init__(self, rule: CanaryRule, alpha: float) -> None:
        self.rows = 0
        self.labels = 0
        self.alarm: Alarm | None = None
        self._max_slower = rule.max_slower
        panel = partial(Panel, alpha=alpha, horizon=rule.rows, criteria=_CRITERIA)
        self._lists, self._choices = panel(_list_streams(rule)), panel(_choice_streams(rule))

    def see(self, lists: TwoLists) -> Alarm | None:
        """The next two lists. The alarm, once there is one."""
        self.rows += 1
        limit = max(self._max_slower * lists.champion_seconds, lists.champion_seconds + JITTER)
        slower = float("nan") if np.isnan(lists.challenger_seconds) else lists.challenger_seconds > limit
        values = [lists.missing, lists.sold_out, lists.less_diverse, slower]  # in the order of _list_streams
        self._lists.tests.see(np.array([values]).T)
        self.alarm = self.alarm or self._lists.alarm(self.rows)
        return self.alarm

    def outcome(self, preferred: Numbers) -> Alarm | None:
        """How much more the champion's items were chosen, of n lists, [n]: 1 they alone, -1 the challenger's alone.

        The alarm, once there is one.
        """
        self.labels += len(preferred)
        self._choices.tests.see(preferred[None])
        self.alarm = self.alarm or self._choices.alarm(self.rows)
        return self.alarm

    def summary(self) -> tuple[Standing, ...]:
        """Where each criterion stands."""
        return (*self._lists.standings(), *self._choices.standings())


def _list_streams(rule: CanaryRule) -> tuple[Stream, ...]:
    most = " (at most {:.1%})".format
    return (
        Stream("errors", rule.max_errors, "{mean:.1%} of {rows:,} lists had no items to show" + most(rule.max_errors)),
        Stream(
            "stock",
            rule.max_sold_out,
            "{mean:.1%} of the items in {rows:,} lists are sold out, says the champion's catalogue"
            + most(rule.max_sold_out),
        ),
        Stream(
            "diversity",
            rule.max_less_diverse,
            "in {rows:,} lists there are {mean:.1%} fewer kinds of things than in the champion's"
            + most(rule.max_less_diverse),
            -1.0,
        ),
        latency_stream(rule, "lists"),
    )


def _choice_streams(rule: CanaryRule) -> tuple[Stream, ...]:
    words = "of {rows:,} lists from which something was chosen, the champion's items got {mean:.1%} more of the choices"
    return (Stream("choices", rule.max_less_chosen, f"{words} (at most {rule.max_less_chosen:.1%})", -1.0),)
