"""``POST /v1/purchases`` and ``/v1/purchases/forget``: what customers bought since training, kept by the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import InvalidInput
from drivetrain.serve.answers import json
from drivetrain.serve.beside import Beside, answer_later
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.items import Bought, item_form
from drivetrain.serve.labels import PredictionId
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.recommend_messages import Item, Moment, micros
from drivetrain.serve.service import Service
from drivetrain.store.purchases import FILE, Purchase, Purchases
from drivetrain.store.segments import ENTITY_BYTES, LabelRecord

T = TypeVar("T")
Customer = Annotated[str, msgspec.Meta(min_length=1, max_length=ENTITY_BYTES, pattern="^[^\\u0000]*$")]
_SWEEP_SECONDS = 3600.0
_DAY, _EARLY = 86_400_000_000, 60_000_000
"""Microseconds; so much may the clock of whoever tells be ahead."""


class BoughtBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer bought an item, now when not said otherwise; ``prediction_id`` when it was recommended: its label."""

    customer: Customer
    item: Item
    at: Moment | None = None
    prediction_id: PredictionId | None = None


class PurchasesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Purchases in any order; one that is told twice counts once, if it names its time."""

    purchases: Annotated[list[BoughtBy], msgspec.Meta(min_length=1)]


class PurchasesAnswer(msgspec.Struct, frozen=True):
    """How many purchases are kept, and how many predictions got their label."""

    kept: int
    labelled: int


class ForgetCustomerRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose purchases are no longer to be known."""

    customer: Customer


class ForgetCustomerAnswer(msgspec.Struct, frozen=True):
    """How many purchases were deleted."""

    forgotten: int


class Shelf:
    """The purchases of one service in one worker. All that is done with them is done beside the loop."""

    def __init__(self, service: Service, beside: Beside) -> None:
        self.service = service
        self._beside = beside
        self._kept: Purchases | None = None
        self._sweep_at = 0.0

    async def do(self, work: Callable[[Purchases], T]) -> T:
        """What ``work`` makes of the purchases. Raises Overloaded, and what it raises."""
        return await self._beside.do(lambda: work(self._open()))

    def remembered(self, customer: str, before: int) -> list[Bought]:
        """What a customer bought before a moment, as far as the server was told. For the thread beside the loop."""
        if not customer or (self._kept is None and not (self.service.journal / FILE).exists()):
            return []
        return [Bought(one.item, one.at) for one in self._open().of(customer, before)]

    def _open(self) -> Purchases:
        if self._kept is None:
            self._kept = Purchases(self.service.journal)
            self.service.surroundings.closing.callback(self._kept.close)
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            self._kept.forget_old(time.time_ns() // 1000 - self.service.settings.remember_days * _DAY)
        return self._kept


class TellPurchases:
    """The endpoint that is told of purchases. They count from the next recommendation on, whichever worker gives it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._decoder = msgspec.json.Decoder(PurchasesRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Keep what was bought. Raises InvalidInput, NotFound."""
        service = self._shelf.service
        item_form(service.standing().champion.contender)
        check_nesting(exchange.body, service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("purchases", *BoughtBy.__struct_fields__))
        service.check(len(request.purchases))
        now = time.time_ns() // 1000
        bought = [Purchase(one.customer, one.item, _moment(one, now, at)) for at, one in enumerate(request.purchases)]
        labels = [one.prediction_id for one in request.purchases if one.prediction_id]
        answer_later(exchange, self._answer, bought, labels, caller_of(exchange).name)

    async def _answer(self, bought: list[Purchase], labels: list[str], caller: str) -> Answer:
        service, at = self._shelf.service, datetime.now(UTC)
        await self._shelf.do(lambda kept: kept.add(bought))
        if labels:
            service.labels.append([LabelRecord(name, True, at, caller) for name in labels])
            service.counts.happened("labels", len(labels))
        return json(PurchasesAnswer(len(bought), len(labels)))


class ForgetCustomer:
    """The endpoint that deletes what a customer bought."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._decoder = msgspec.json.Decoder(ForgetCustomerRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Delete. Raises InvalidInput."""
        check_nesting(exchange.body, self._shelf.service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("customer",))
        answer_later(exchange, self._answer, request.customer)

    async def _answer(self, customer: str) -> Answer:
        return json(ForgetCustomerAnswer(await self._shelf.do(lambda kept: kept.forget(customer))))


def _moment(bought: BoughtBy, now: int, number: int) -> int:
    if bought.at is None:
        return now
    where = f"purchases[{number}].at"
    at = micros(bought.at, where)
    if at > now + _EARLY:
        raise InvalidInput(
            "bought_later", f"{bought.item} was bought in the future", where=where, hint="send times in UTC"
        )
    return at
