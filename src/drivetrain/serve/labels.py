"""``POST /v1/labels``: what became of the cases behind earlier predictions, in the words of the service's task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import GenericAlias
from typing import Annotated, Any, Protocol, cast

import msgspec

from drivetrain.connect.http.messages import Exchange
from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Task
from drivetrain.serve.answers import json
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.service import Service
from drivetrain.store.segments import Label as Truth
from drivetrain.store.segments import LabelRecord

LABEL_BYTES = 200
"""Of a text that is a label, in UTF-8."""
PredictionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,32}$(?!\n)")]
ClassName = Annotated[str, msgspec.Meta(min_length=1, max_length=LABEL_BYTES)]


class Outcome(Protocol):
    """An outcome: the ``id`` of a prediction, what was true, and when that was known (now when not given)."""

    prediction_id: str
    label: Truth
    at: datetime | None


class LabelsRequest(Protocol):
    """The body of a request, in a type that is made for each task."""

    labels: list[Outcome]


class LabelsAnswer(msgspec.Struct, frozen=True):
    """How many outcomes were recorded: all of them."""

    recorded: int


def _request(label: object) -> type[msgspec.Struct]:
    """Outcomes with labels of one type."""
    moment = Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})] | None
    outcome: list[Any] = [("prediction_id", PredictionId), ("label", label), ("at", moment, None)]
    kind = msgspec.defstruct("Label", outcome, forbid_unknown_fields=True, namespace={"__doc__": Outcome.__doc__})
    outcomes: list[Any] = [("labels", Annotated[GenericAlias(list, (kind,)), msgspec.Meta(min_length=1)])]
    said = {"__doc__": "Outcomes, in any order. When a prediction is told twice, the later ``at`` counts."}
    return msgspec.defstruct("LabelsRequest", outcomes, forbid_unknown_fields=True, namespace=said)


REQUESTS = {Task.YES_NO: _request(bool), Task.CLASSES: _request(ClassName), Task.NUMBER: _request(float)}
"""The body by the task of the release that answers."""
HINTS = {
    Task.YES_NO: "this service answers yes or no: send true or false",
    Task.CLASSES: f"this service answers with a class: send its text, of 1 to {LABEL_BYTES} bytes",
    Task.NUMBER: "this service answers with a number: send a number",
}
"""What to send, by the same task."""


class Labels:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._decoders = {
            task: cast("msgspec.json.Decoder[LabelsRequest]", msgspec.json.Decoder(request))
            for task, request in REQUESTS.items()
        }

    def __call__(self, exchange: Exchange) -> None:
        """Record the outcomes of the body, all or none. Raises InvalidInput or Transient."""
        records = self._read(exchange)
        self._service.labels.append(records)
        count_labels(self._service, [record.label for record in records])
        exchange.answer(json(LabelsAnswer(len(records))))

    def _read(self, exchange: Exchange) -> list[LabelRecord]:
        task = self._service.signature.task
        decode = self._decoders[task].decode
        try:
            request = parsed(decode, exchange.body, ("labels", "prediction_id", "label", "at"))
        except InvalidInput as error:
            check_nesting(exchange.body, self._service.settings.max_nesting)
            if error.where.endswith("].label"):
                error.hint = HINTS[task]
            raise
        self._service.check(len(request.labels))
        now = datetime.now(UTC)
        caller = caller_of(exchange).name
        records = [
            LabelRecord(label.prediction_id, label.label, _utc(label.at, now, number), caller)
            for number, label in enumerate(request.labels)
        ]
        if task is Task.CLASSES:
            for number, record in enumerate(records):
                check_label(record.label, f"labels[{number}].label")
        return records


def count_labels(service: Service, labels: Sequence[Truth]) -> None:
    """Count outcomes that were recorded."""
    service.counts.happened("labels", len(labels))
    if service.signature.task is Task.CLASSES:
        known = set(service.signature.classes)
        service.counts.happened("labels_unknown", sum(label not in known for label in labels))


def check_label(label: Truth, where: str) -> None:
    """Raise InvalidInput for a text that is too long."""
    if isinstance(label, str) and len(label.encode()) > LABEL_BYTES:
        raise InvalidInput(
            "field_range",
            f"the text has more than {LABEL_BYTES} bytes",
            where=where,
            hint=HINTS[Task.CLASSES],
        )


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
