"""What the OpenAPI document says of the review queue: only of a service that has one."""

from __future__ import annotations

import msgspec

from drivetrain.core.task import Task
from drivetrain.serve.operations import HTML, JSON_TYPE, REFUSED, Json, get, post, refusals, schema
from drivetrain.serve.queue_messages import PAGE, PARAMETERS, QUEUE, REQUESTS, AnswerTold, QueueCase, QueuePage

_MORE = refusals([404], REFUSED)
_ID: Json = {
    "name": "prediction_id", "in": "path", "required": True, "description": "The id of the prediction.",
    "schema": {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"},
}  # fmt: skip


def queue_paths(label: object) -> dict[str, Json]:
    """The operations by path; ``label`` is an answer, as somebody would give it."""
    asked = {JSON_TYPE: {"schema": schema("QueueAnswer"), "example": {"label": label}}}
    listed = get("queue", "What waits for a person, oldest first", {JSON_TYPE: schema("QueuePage")}, more=_MORE)
    one = get("case", "What waits: inputs, what the model thinks, why", {JSON_TYPE: schema("QueueCase")}, more=_MORE)
    answer = post(
        "answer", "Say what was true: it becomes the label of the prediction", asked,
        {JSON_TYPE: schema("AnswerTold")}, more=refusals([404, 409], REFUSED),
    )  # fmt: skip
    page = get("review", "The page to go through the queue", {HTML: {"type": "string"}}, is_open=True, more=_MORE)
    return {
        QUEUE: {"get": {**listed, "parameters": _asked()}},
        f"{QUEUE}/{{prediction_id}}": {"get": {**one, "parameters": [_ID]}, "post": {**answer, "parameters": [_ID]}},
        PAGE: {"get": page},
    }


def queue_types(task: Task) -> tuple[type[msgspec.Struct], ...]:
    """The types of their bodies."""
    return (QueuePage, QueueCase, REQUESTS[task], AnswerTold)


def _asked() -> list[Json]:
    return [
        {
            "name": name, "in": "query", "description": one.about,
            "schema": {"type": "integer", "minimum": 0, "maximum": 99_999_999, "default": one.default}
            if isinstance(one.default, int) else {"type": "string", "default": one.default},
        }
        for name, one in PARAMETERS.items()
    ]  # fmt: skip
