"""A challenger whose recommendations are mixed with the champion's, item by item, for a share of the customers.

Both find candidates of their own, rank and record them; a team draft makes one list of the two (``ops.draft``). What
becomes of an item is told with the id of its prediction, and so it is known whose item it was. When the judge
raises an alarm, no list is mixed any more: the verdict is acted on at once, in this process, and written down after
that. A challenger that gives no list in time costs nobody anything: the champion's is shown.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.ops.criteria import Alarm
from drivetrain.ops.draft import team_draft
from drivetrain.ops.list_judge import NOTHING, ListJudge, compared
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.item_list import ItemList
from drivetrain.serve.items import ItemForm
from drivetrain.serve.outcomes import Outcomes
from drivetrain.serve.recommend_messages import Recommendation
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request, Scoring, too_late
from drivetrain.serve.shares import Slice
from drivetrain.serve.trial import Verdict
from drivetrain.serve.wording import Scored

_REMEMBERED = 200_000
"""Items that were shown and whose outcome may still be told."""


class Interleaving:
    """One challenger whose lists are mixed with those of the champion, in front of whom is the queue ``champion``."""

    def __init__(
        self,
        champion: Scoring,
        challenger: Scoring,
        part: Slice,
        judge: ListJudge,
        told: Outcomes,
        counts: Counts,
        verdict: Verdict,
    ) -> None:
        self.challenger: Contender = challenger.contender
        self.judge = judge
        self.over = False
        self._champion, self._challenger = champion, challenger
        self._part = part
        self._told = told
        self._counts = counts
        self._verdict = verdict
        self._coin = random.SystemRandom()
        self._shown: dict[str, tuple[_Shown, bool]] = {}

    def takes(self, rows: Rows) -> bool:
        """Whether a customer's lists are mixed, by the rows that the champion found."""
        return not self.over and self._part.has(rows)

    def submit(self, request: Request) -> None:
        """Let both rank what they found for a customer; other rows are the champion's."""
        if isinstance(request, ItemList) and not self._challenger.full:
            theirs = _Theirs(request, self)
            if self.challenger.processes:  # the loop goes on while one scores: nobody waits longer than they want to
                wait = request.late - time.perf_counter()
                theirs.alarm = asyncio.get_running_loop().call_later(wait, theirs.give_up)
            try:
                theirs.rows = request.find(self.challenger.form).rows
                if theirs.rows.entities:
                    self._challenger.submit(theirs)
                else:
                    theirs.result = InvalidInput("no_items", "there is nothing to show", hint="look at its catalogue")
                request.rival = theirs
            except Overloaded:  # too much to do: that says nothing of the challenger
                pass
            except DrivetrainError as error:
                theirs.result = error
                request.rival = theirs
        self._champion.submit(request)

    def watch(self) -> None:
        """Tell the judge whose items were chosen. Of each list counts what is told first, as one, whoever asked."""
        chosen: dict[_Shown, list[int]] = defaultdict(lambda: [0, 0])
        for told in self._told.fresh():
            shown, is_theirs = self._shown.pop(told.prediction_id, (None, False))
            if shown is not None and told.label is True and not shown.is_judged:
                chosen[shown][is_theirs] += 1
        for shown in chosen:
            shown.is_judged = True
        if chosen and not self.over:
            preferred = [(ours - theirs) / (ours + theirs) for ours, theirs in chosen.values()]
            self._act(self.judge.outcome(np.array(preferred)))

    def close(self) -> None:
        """Nothing runs beside the answers."""

    def mix(self, request: ItemList, ours: Scored, theirs: Scored | Exception) -> None:
        """Show one list of both, and judge what each would have been."""
        champion, challenger = self._champion.contender.form, self.challenger.form
        assert isinstance(champion, ItemForm)
        mine = request.ranking(champion, ours)
        sold_out = frozenset(champion.retriever.sold_out)
        first = request.alone(mine, sold_out, self._seconds(self._champion, request, champion))
        if isinstance(theirs, Scored) and isinstance(challenger, ItemForm):
            others = request.ranking(challenger, theirs)
            second = request.alone(others, sold_out, self._seconds(self._challenger, request, challenger))
            allowed = [each for each in others if each.item not in sold_out] if request.in_stock else others
            self._show(request, champion, mine, allowed)
        else:
            second = NOTHING
            request.show(champion, ours.release, mine)
        if not self.over:
            self._act(self.judge.see(compared(first, second)))

    def _act(self, alarm: Alarm | None) -> None:
        if alarm is not None:
            self.over = True
            self._verdict(alarm)

    def _show(
        self, request: ItemList, form: ItemForm, mine: Sequence[Recommendation], others: Sequence[Recommendation]
    ) -> None:
        teams = mine, others
        ours, theirs = ([each.item for each in team] for team in teams)
        picks = team_draft(ours, theirs, lambda: self._coin.random() < 0.5)
        mixed = [(teams[pick.is_theirs][pick.place], pick.is_theirs) for pick in picks]
        is_theirs = {each.id: whose for each, whose in mixed}
        told = request.show(form, self._champion.contender.name, [each for each, _ in mixed], self.challenger.name)
        one = _Shown()
        self._shown.update((each.id, (one, is_theirs[each.id])) for each in told)
        while len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]
        self._counts.happened("lists_mixed")

    @staticmethod
    def _seconds(queue: Scoring, request: ItemList, form: ItemForm) -> float:
        """How long a release takes for its list: to find the items, and to rank them when nobody else waits."""
        found = request.find(form)
        return found.seconds + queue.usual_seconds(len(found.items))


@dataclass(eq=False)
class _Shown:
    """A list that was mixed, and whether the judge knows what was chosen of it."""

    is_judged: bool = False


class _Theirs(Request):
    """The challenger's candidates for a list; the list is shown once both releases have said what they think."""

    def __init__(self, request: ItemList, trial: Interleaving) -> None:
        self.caller, self.late = request.caller, request.late
        self.result: Scored | Exception | None = None
        self._ours: Scored | None = None
        self._request, self._trial = request, trial

    def read(self, form: RowForm) -> Rows:
        return self.rows

    def give_up(self) -> None:
        """Nobody waits any longer."""
        if not self.ended:
            self.end(too_late())

    def tell(self, result: Scored | Exception) -> None:
        self.result = result
        self._mix()

    def meet(self, result: Scored | Exception) -> None:
        """Hear what the champion says."""
        if isinstance(result, Scored):
            self._ours = result
            self._mix()
        else:
            self._end(result)

    def _mix(self) -> None:
        if self._ours is None or self.result is None:
            return
        try:
            self._trial.mix(self._request, self._ours, self.result)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            self._end(error)

    def _end(self, error: Exception) -> None:
        self._request.rival = None
        self._request.tell(error)
