"""One list of items on its way: what each release finds for a customer, and what of that is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.list_judge import ListShown
from drivetrain.ops.retriever import Retriever
from drivetrain.ops.shown import ShownRules, shown
from drivetrain.serve.items import Asked, Bought, Found, ItemForm
from drivetrain.serve.recommend_messages import Applied, RecommendAnswer, Recommendation, RecommendRequest
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.wording import Scored

Told = RecommendAnswer | Exception


class Rival(Protocol):
    """Whoever has a list of their own to mix with the champion's."""

    def meet(self, result: Scored | Exception) -> None:
        """Hear what the champion says; the list is shown when both are heard."""
        ...


class ItemList(Request):
    """The list of one request. Each release finds candidates of its own for it, and ranks them.

    ``answer`` is told what is shown. Where a list is mixed, ``rival`` is who decides that.
    """

    def __init__(
        self, request: RecommendRequest, asked: Asked, rules: ShownRules, answer: Callable[[Told], None]
    ) -> None:
        self.rival: Rival | None = None
        self._request, self._asked, self._rules, self._answer = request, asked, rules, answer
        self._found: dict[ItemForm, Found] = {}
        self._remembered = 0

    def remember(self, bought: Callable[[str, int], Sequence[Bought]]) -> None:
        """Where no history was sent: what somebody ``bought`` before a moment is theirs."""
        if self._request.history is None:
            kept = bought(self._asked.customer, self._asked.now)
            self._remembered = len(kept)
            self._asked = self._asked._replace(bought=[*kept, *self._asked.bought])

    def read(self, form: RowForm) -> Rows:
        """The candidates of one release as rows; raises InvalidInput."""
        return self.find(form).rows

    def find(self, form: RowForm) -> Found:
        """The candidates of one release; it takes milliseconds for a long history, the first time. Any thread may ask.

        Raises InvalidInput for a release that ranks no items.
        """
        if not isinstance(form, ItemForm):
            raise InvalidInput(
                "no_items", "this release ranks no items", hint="it cannot be compared with one that does"
            )
        if form not in self._found:
            self._found[form] = form.find(self._asked, self._barred(form.retriever))
        return self._found[form]

    def tell(self, result: Scored | Exception) -> None:
        """Answer with what the champion ranks first, or let the rival mix it."""
        if self.rival is not None:
            self.rival.meet(result)
        elif isinstance(result, Scored):
            form = next(form for form, found in self._found.items() if found.rows is self.rows)
            self.show(form, result.release, self.ranking(form, result))
        else:
            self._answer(result)

    def ranking(self, form: ItemForm, scored: Scored) -> list[Recommendation]:
        """What a release found and ranked, the best first."""
        found = self._found[form]
        order = np.argsort(-np.asarray(scored.scores), kind="stable").tolist()
        return [
            Recommendation(item.item, item.name, item.category, scored.scores[at], scored.ids[at], found.why[at])
            for at in order
            for item in (found.items[at],)
        ]

    def alone(self, ranking: Sequence[Recommendation], sold_out: Collection[str], seconds: float) -> ListShown:
        """The list that a ranking would be, shown alone."""
        first = [ranking[place] for place in self._places(ranking)]
        many = sum(each.item in sold_out for each in first) if self._rules.in_stock else 0
        return ListShown(tuple(each.category for each in first), many, seconds)

    def show(
        self, form: ItemForm, release: str, ranking: Sequence[Recommendation], mixed_with: str = ""
    ) -> list[Recommendation]:
        """Answer with the first of a ranking that the rules let through, and give them; ``form`` is the champion's."""
        places = self._places(ranking)
        told = [ranking[place] for place in places]
        held_back = (places[-1] + 1 if len(places) == self._request.n else len(ranking)) - len(places) if ranking else 0
        applied = Applied(self._rules.in_stock, self._most, held_back)
        unknown = self._unknown(form.retriever)
        self._answer(RecommendAnswer(release, told, applied, unknown, mixed_with, self._remembered))
        return told

    @property
    def in_stock(self) -> bool:
        """Whether what is sold out is not shown."""
        return self._rules.in_stock

    @property
    def _most(self) -> int | None:
        return self._request.most_of_category or self._rules.most_of_category

    def _places(self, ranking: Sequence[Recommendation]) -> list[int]:
        return shown([each.category for each in ranking], self._request.n, self._most)

    def _barred(self, retriever: Retriever) -> list[str]:
        request, rules = self._request, self._rules
        sold_out = retriever.sold_out if rules.in_stock else ()
        bought = [one.item for one in self._asked.bought] if request.only_new else []
        return [*rules.never, *sold_out, *request.exclude, *request.basket, *bought]

    def _unknown(self, retriever: Retriever) -> list[str]:
        sent = dict.fromkeys([*(one.item for one in self._request.history or ()), *self._request.basket])
        return [item for item in sent if item not in retriever.places][:5]
