"""``POST /v1/feedback`` and ``POST /v1/chat/forget``: what was true of a message; and what is no longer to be known."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from drivetrain.connect.http.messages import Exchange
from drivetrain.serve.answers import json
from drivetrain.serve.chat_messages import FeedbackAnswer, FeedbackRequest, ForgetAnswer, ForgetRequest
from drivetrain.serve.complaints import parsed
from drivetrain.serve.desk import Desk
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import failure
from drivetrain.store.segments import LabelRecord


class Feedback:
    """A thumb, or the intent that a person would have chosen: it becomes the label of the prediction."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(FeedbackRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Record what was told. Raises InvalidInput."""
        check_nesting(exchange.body, self._desk.service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("prediction_id", "helpful", "intent"))
        exchange.run(self._answer(exchange, request))

    async def _answer(self, exchange: Exchange, request: FeedbackRequest) -> None:
        try:
            said = await self._desk.do(lambda kept: kept.intent(request.prediction_id))
            truth = request.intent or (said if request.helpful else "")
            if truth:
                record = LabelRecord(request.prediction_id, truth, datetime.now(UTC), caller_of(exchange).name)
                self._desk.service.labels.append([record])
                self._desk.service.counts.happened("labels")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            exchange.answer(failure(error))
            return
        exchange.answer(json(FeedbackAnswer(1 if truth else 0)))


class Forget:
    """A conversation is deleted, with what was handed over; its predictions hold no words."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(ForgetRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Delete. Raises InvalidInput."""
        request = parsed(self._decoder.decode, exchange.body, ("session",))
        exchange.run(self._answer(exchange, request))

    async def _answer(self, exchange: Exchange, request: ForgetRequest) -> None:
        try:
            forgotten = await self._desk.do(lambda kept: kept.forget(request.session))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            exchange.answer(failure(error))
            return
        exchange.answer(json(ForgetAnswer(forgotten)))
