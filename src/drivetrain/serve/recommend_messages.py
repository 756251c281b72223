"""What is sent to ``POST /v1/recommend``, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.why import Because
from drivetrain.serve.items import Asked, Bought
from drivetrain.store.segments import ENTITY_BYTES

MOST = 10_000
"""Items of one request."""
_MICRO = timedelta(microseconds=1)
Item = Annotated[str, msgspec.Meta(min_length=1, max_length=ENTITY_BYTES)]
Items = Annotated[list[Item], msgspec.Meta(max_length=MOST)]
Moment = Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class BoughtItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item that was bought, and when. What was bought at one moment is one basket."""

    item: Item
    at: Moment


class RecommendRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, what they bought before, and what lies in their basket or was looked at in this session.

    What is in the basket is not recommended. All of it may be left out: then what is popular is. Without a ``history``
    what the server was told at ``/v1/purchases`` of the customer is theirs.
    """

    customer: Annotated[str, msgspec.Meta(max_length=ENTITY_BYTES, pattern="^[^\\u0000]*$")] = ""
    history: Annotated[list[BoughtItem], msgspec.Meta(max_length=MOST)] | None = None
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
    """Items, the best first; ``unknown`` are items that were sent and that this release does not know, at most five.

    ``mixed_with`` is the challenger whose items are among them; what is told of their ids says which of the two serves
    better. ``remembered`` counts the purchases of the customer that the server knew of.
    """

    release: str
    recommendations: list[Recommendation]
    rules: Applied
    unknown: list[str]
    mixed_with: str = ""
    remembered: int = 0


def asked_of(request: RecommendRequest) -> Asked:
    """Whose next item is looked for. Raises InvalidInput for what was bought at that moment or later."""
    now = micros(request.at, "at") if request.at else time.time_ns() // 1000
    bought = [Bought(one.item, micros(one.at, f"history[{at}].at")) for at, one in enumerate(request.history or ())]
    _refuse_later(bought, now)
    return Asked(request.customer, [*bought, *(Bought(item, now) for item in request.basket)], now)


def micros(moment: datetime, where: str) -> int:
    """A moment in microseconds since 1970; UTC where it names no time zone. Raises InvalidInput."""
    try:
        utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise InvalidInput(
            "field_range", "this is before the year 1 or after 9999 in UTC", where=where, hint="send another time"
        ) from None
    return (utc - datetime(1970, 1, 1, tzinfo=UTC)) // _MICRO


def _refuse_later(bought: Sequence[Bought], now: int) -> None:
    for at, one in enumerate(bought):
        if one.at >= now:
            raise InvalidInput(
                "bought_later",
                f"{one.item} was bought at or after the moment that is asked for",
                where=f"history[{at}].at",
                hint="send times in UTC; what lies in the basket belongs to `basket`",
            )
