"""``POST /v1/recommend``: a customer, a basket or a session in; items with scores, ids and reasons out."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import DrivetrainError
from drivetrain.serve.beside import Beside, answer_later, failure
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.interleaving import Interleaving
from drivetrain.serve.item_list import ItemList, Told
from drivetrain.serve.items import item_form
from drivetrain.serve.lineup import Lineup
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import headers_of
from drivetrain.serve.purchases import Shelf
from drivetrain.serve.recommend_messages import RecommendRequest, asked_of
from drivetrain.serve.service import Service


class Recommend:
    """The endpoint of one service. Candidates are found beside the loop, and ranked in it like all rows."""

    def __init__(self, service: Service, shelf: Shelf, beside: Beside) -> None:
        self._service = service
        self._shelf = shelf
        self._beside = beside
        self._decoder = msgspec.json.Decoder(RecommendRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Find and rank candidates; all are recorded before the answer goes out. Raises what refuses the request."""
        lineup = self._service.standing()
        item_form(lineup.champion.contender)
        check_nesting(exchange.body, self._service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, RecommendRequest.__struct_fields__)

        def answer(told: Told) -> None:
            exchange.answer(failure(told) if isinstance(told, Exception) else _answer(told))

        wanted = ItemList(request, asked_of(request), self._service.settings.recommend, answer)
        answer_later(exchange, self._find, exchange, wanted, lineup)

    async def _find(self, exchange: Exchange, wanted: ItemList, lineup: Lineup) -> None:
        """The list itself will answer."""
        await self._beside.do(lambda: self._find_all(wanted, lineup))
        champion = lineup.champion.contender
        if wanted.find(champion.form).items:
            self._service.submit(exchange, wanted)
        else:
            caller_of(exchange).charge(1)
            wanted.show(item_form(champion), champion.name, [])

    def _find_all(self, wanted: ItemList, lineup: Lineup) -> None:
        """The candidates of the champion, and those of a challenger whose list will be mixed with it."""
        wanted.remember(self._shelf.remembered)
        rows, trial = wanted.read(lineup.champion.contender.form), lineup.trial
        if isinstance(trial, Interleaving) and rows.entities and trial.takes(rows):
            with suppress(DrivetrainError):  # it is told when the lists are mixed
                wanted.find(trial.challenger.form)


def _answer(told: msgspec.Struct) -> Answer:
    return Answer(200, headers_of(getattr(told, "release", "")), msgspec.json.encode(told))
