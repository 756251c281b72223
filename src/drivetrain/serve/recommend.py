"""``POST /v1/recommend``: a customer, a basket or a session in; items with scores, ids and reasons out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.ops.retriever import Retriever
from drivetrain.ops.shown import ShownRules, shown
from drivetrain.ops.why import Because, because
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.items import Asked, Bought, ItemForm
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import failure, headers_of
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Scored
from drivetrain.store.segments import ENTITY_BYTES

_MOST = 10_000
_MICRO = timedelta(microseconds=1)
Item = Annotated[str, msgspec.Meta(min_length=1, max_length=ENTITY_BYTES)]
Items = Annotated[list[Item], msgspec.Meta(max_length=_MOST)]
Moment = Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class BoughtItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item that was bought, and when. What was bought at one moment is one basket."""

    item: Item
    at: Moment


class RecommendRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, what they bought before, and what lies in their basket or was looked at in this session.

    What is in the basket is not recommended. All of it may be left out: then what is popular is.
    """

    customer: Annotated[str, msgspec.Meta(max_length=ENTITY_BYTES, pattern="^[^\\u0000]*$")] = ""
    history: Annotated[list[BoughtItem], msgspec.Meta(max_length=_MOST)] = []
    basket: Items = []
    n: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    exclude: Items = []
    only_new: bool = False
    most_of_category: Annotated[int, msgspec.Meta(ge=1)] | None = None
    at: Moment | None = None


class Recommendation(msgspec.Struct, frozen=True):
    """An item, the id of its prediction (for ``/v1/labels``), and why; ``item`` of ``because`` is what led to it."""

    item: str
    name: str
    category: str
    score: float
    id: str
    because: Because


class Applied(msgspec.Struct, frozen=True):
    """The rules that held: of how many candidates each kept something back."""

    in_stock: bool
    most_of_category: int | None
    held_back: int


class RecommendAnswer(msgspec.Struct, frozen=True):
    """Items, the best first; ``unknown`` are items that were sent and that this release does not know, at most five."""

    release: str
    recommendations: list[Recommendation]
    rules: Applied
    unknown: list[str]


class Recommend:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._decoder = msgspec.json.Decoder(RecommendRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Queue the candidates; all are recorded before the answer goes out. Raises what refuses the request."""
        check_nesting(exchange.body, self.service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, RecommendRequest.__struct_fields__)
        champion = self.service.standing().champion.contender
        if not isinstance(champion.form, ItemForm):
            raise NotFound(
                "no_items", f"{champion.name} recommends nothing", where="items",
                hint="set `features.items` in the project file",
            )  # fmt: skip
        ranked = _Ranked(exchange, request, self.service.settings.recommend, champion.form)
        if ranked.items:
            self.service.submit(exchange, ranked)
        else:
            caller_of(exchange).charge(1)
            exchange.answer(ranked.answer(champion.name, []))


class _Ranked(Request):
    """The candidates of one request, found by the champion's retriever and ranked by whoever answers."""

    def __init__(self, exchange: Exchange, request: RecommendRequest, rules: ShownRules, form: ItemForm) -> None:
        self.exchange, self._request, self._rules, self._form = exchange, request, rules, form
        self._asked = _asked(request)
        self.items = form.candidates(self._asked, _barred(request, rules, form.retriever))

    def read(self, form: RowForm) -> Rows:
        if not isinstance(form, ItemForm):
            raise InvalidInput(
                "no_items", "this release ranks no items", hint="it cannot be compared with one that does"
            )
        return form.rows(self._asked, self.items)

    def tell(self, result: Scored | Exception) -> None:
        if isinstance(result, Scored):
            order = np.argsort(-np.asarray(result.scores), kind="stable").tolist()
            ranked = [(self.items[at], result.scores[at], result.ids[at]) for at in order]
            self.exchange.answer(self.answer(result.release, ranked))
        else:
            self.exchange.answer(failure(result))

    def answer(self, release: str, ranked: Sequence[tuple[str, float, str]]) -> Answer:
        """The first of what was ranked that the rules let through: item, score, id of each."""
        retriever, most = self._form.retriever, self._request.most_of_category or self._rules.most_of_category
        known = [retriever.catalogue[retriever.places[item]] for item, _, _ in ranked]
        places = shown([each.category for each in known], self._request.n, most)
        history = self._form.history(self._asked)
        told = [
            Recommendation(
                known[at].item, known[at].name, known[at].category, ranked[at][1], ranked[at][2],
                because(retriever, history, retriever.places[known[at].item]),
            )
            for at in places
        ]  # fmt: skip
        held_back = (places[-1] + 1 if len(places) == self._request.n else len(ranked)) - len(places) if ranked else 0
        applied = Applied(self._rules.in_stock, most, held_back)
        answer = RecommendAnswer(release, told, applied, _unknown(self._request, retriever))
        return Answer(200, headers_of(release), msgspec.json.encode(answer))


def _asked(request: RecommendRequest) -> Asked:
    now = _micros(request.at, "at") if request.at else time.time_ns() // 1000
    bought = [Bought(one.item, _micros(one.at, f"history[{at}].at")) for at, one in enumerate(request.history)]
    for at, one in enumerate(bought):
        if one.at >= now:
            raise InvalidInput(
                "bought_later",
                f"{one.item} was bought at or after the moment that is asked for",
                where=f"history[{at}].at",
                hint="send times in UTC; what lies in the basket belongs to `basket`",
            )
    return Asked(request.customer, [*bought, *(Bought(item, now) for item in request.basket)], now)


def _micros(moment: datetime, where: str) -> int:
    try:
        utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise InvalidInput(
            "field_range", "this is before the year 1 or after 9999 in UTC", where=where, hint="send another time"
        ) from None
    return (utc - datetime(1970, 1, 1, tzinfo=UTC)) // _MICRO


def _barred(request: RecommendRequest, rules: ShownRules, retriever: Retriever) -> list[str]:
    sold_out = retriever.sold_out if rules.in_stock else ()
    bought = [one.item for one in request.history] if request.only_new else []
    return [*rules.never, *sold_out, *request.exclude, *request.basket, *bought]


def _unknown(request: RecommendRequest, retriever: Retriever) -> list[str]:
    sent = dict.fromkeys([*(one.item for one in request.history), *request.basket])
    return [item for item in sent if item not in retriever.places][:5]
