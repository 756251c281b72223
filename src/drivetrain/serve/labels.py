"""``POST /v1/labels``: what became of the cases behind earlier predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from drivetrain.connect.http.messages import Exchange
from drivetrain.core.errors import InvalidInput
from drivetrain.serve.answers import json
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.service import Service
from drivetrain.store.segments import LabelRecord

PredictionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,32}$(?!\n)")]


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outcome: the ``id`` of a prediction, what was true, and when that was known (now when not given)."""

    prediction_id: PredictionId
    label: bool
    at: Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})] | None = None


class LabelsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outcomes, in any order. When a prediction is told twice, the later ``at`` counts."""

    labels: Annotated[list[Label], msgspec.Meta(min_length=1)]


class LabelsAnswer(msgspec.Struct, frozen=True):
    """How many outcomes were recorded: all of them."""

    recorded: int


class Labels:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._decoder = msgspec.json.Decoder(LabelsRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Record the outcomes of the body, all or none. Raises InvalidInput or Transient."""
        try:
            request = parsed(self._decoder.decode, exchange.body, ("labels", "prediction_id", "label", "at"))
        except InvalidInput:
            check_nesting(exchange.body, self._service.settings.max_nesting)
            raise
        self._service.check(len(request.labels))
        now = datetime.now(UTC)
        caller = caller_of(exchange).name
        records = [
            LabelRecord(label.prediction_id, label.label, _utc(label.at, now, number), caller)
            for number, label in enumerate(request.labels)
        ]
        self._service.labels.append(records)
        self._service.counts.happened("labels", len(records))
        exchange.answer(json(LabelsAnswer(len(records))))


def _utc(at: datetime | None, now: datetime, number: int) -> datetime:
    if at is None:
        return now
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError:
        raise InvalidInput(
            "field_range",
            "this is before the year 1 or after 9999 in UTC",
            where=f"labels[{number}].at",
            hint="leave it out",
        ) from None
