"""``POST /v1/feedback`` and ``POST /v1/chat/forget``: what was true of a message; and what is no longer to be known."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from drivetrain.access.scopes import OutOfScope
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.serve.answers import json
from drivetrain.serve.beside import answer_later
from drivetrain.serve.chat_messages import FeedbackAnswer, FeedbackRequest, ForgetAnswer, ForgetRequest
from drivetrain.serve.complaints import parsed
from drivetrain.serve.desk import Desk
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.store.segments import LabelRecord


class Feedback:
    """A thumb, or the intent that a person would have chosen: it becomes the label of the prediction."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(FeedbackRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Record what was told. Raises InvalidInput; Forbidden for an intent of whoever may not tell outcomes."""
        self._desk.check()
        check_nesting(exchange.body, self._desk.service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("prediction_id", "helpful", "intent"))
        caller = caller_of(exchange)
        if request.intent and "labels" not in caller.scopes:
            raise OutOfScope(caller.name, "labels")
        answer_later(exchange, self._answer, request, caller.name)

    async def _answer(self, request: FeedbackRequest, caller: str) -> Answer:
        said = await self._desk.do(lambda kept: kept.intent(request.prediction_id))
        truth = request.intent or (said if request.helpful else "")
        if truth:
            self._desk.service.labels.append([LabelRecord(request.prediction_id, truth, datetime.now(UTC), caller)])
            self._desk.service.counts.happened("labels")
        return json(FeedbackAnswer(1 if truth else 0))


class Forget:
    """A conversation is deleted, with what was handed over; its predictions hold no words."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(ForgetRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Delete. Raises InvalidInput."""
        self._desk.check()
        request = parsed(self._decoder.decode, exchange.body, ("session",))
        answer_later(exchange, self._answer, request)

    async def _answer(self, request: ForgetRequest) -> Answer:
        return json(ForgetAnswer(await self._desk.do(lambda kept: kept.forget(request.session))))
