"""The parts that operations of an OpenAPI 3.1 document are made of: bodies, answers, refusals, headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

Json = Mapping[str, object]
JSON_TYPE, TEXT, HTML = "application/json", "text/plain", "text/html"
REFUSED, INFERENCE_REFUSED = "Refused", "InferenceRefused"
"""Families of answers: errors as everywhere, and in the words of the Open Inference Protocol."""
NOTHING: Json = MappingProxyType({})

_WHY = {
    400: "The request is not as it should be; the body says where.",
    401: "No API key, or one that is not known.",
    403: "The API key is not good for this; the error says for what it has to be.",
    404: "Another version of the model answers now.",
    405: "This path is not answered to this method.",
    408: "The request did not arrive in time.",
    409: "Somebody has answered it, and otherwise.",
    413: "The body is too large, or has too many rows.",
    415: "The body is of another media type.",
    429: "Too many requests or rows with this API key.",
    431: "The head is too large.",
    500: "The server, or the model's own code, made a mistake.",
    503: "Overloaded, quarantined or draining, or the journal cannot be written.",
}
_ANYWHERE = (400, 405, 408, 413, 431, 500, 503)
_WITH_KEY = (*_ANYWHERE, 401, 403, 429)
_WITH_BODY = (*_WITH_KEY, 415)
_HEADERS = {
    "Release": ("The release that answered.", "string"),
    "RetryAfter": ("Seconds after which to ask again.", "integer"),
    "Allow": ("The method that is answered.", "string"),
    "WwwAuthenticate": ("How to send a key.", "string"),
}
_BY_STATUS = {401: "WwwAuthenticate", 405: "Allow", 429: "RetryAfter", 503: "RetryAfter"}
_ON_THE_WIRE = {
    "Release": "x-drivetrain-release", "RetryAfter": "retry-after", "Allow": "allow",
    "WwwAuthenticate": "www-authenticate",
}  # fmt: skip

EXPLAIN = {
    "name": "explain",
    "in": "query",
    "description": "Give the top reasons of each decision; the same as `explain` in the body. Streams have none.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
DEADLINE = {
    "name": "X-Deadline-Ms",
    "in": "header",
    "description": "How long you wait for the answer: what cannot be answered by then is refused with 503 at once.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
}


def schema(name: str) -> Json:
    """A schema of the components, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(*names: str) -> Json:
    """Any of these."""
    return {"anyOf": [schema(name) for name in names]}


def content(found: Mapping[str, Json | None]) -> Json:
    """Bodies by media type; None stands for bytes."""
    plain = {"type": "string", "format": "binary"}
    return {media: {"schema": plain if known is None else known} for media, known in found.items()}


def get(
    name: str,
    summary: str,
    answer: Mapping[str, Json | None],
    *,
    is_open: bool = False,
    family: str = REFUSED,
    more: Json = NOTHING,
) -> Json:
    """An operation without a body. ``is_open``: it asks for no key. ``more`` are further answers."""
    told = {"description": "The answer.", "content": content(answer)}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": told, **refusals(_ANYWHERE if is_open else _WITH_KEY, family), **more},
        **({"security": []} if is_open else {}),
    }


def post(
    name: str,
    summary: str,
    asked: Json,
    answer: Mapping[str, Json | None],
    *,
    parameters: Sequence[Json] = (),
    family: str = REFUSED,
    more: Json = NOTHING,
) -> Json:
    """An operation whose body is ``asked``; one with ``parameters`` is answered by a release."""
    told: dict[str, object] = {"description": "The answer.", "content": content(answer)}
    if parameters:
        told["headers"] = _header("Release")
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": told, **refusals(_WITH_BODY, family), **more},
        **({"parameters": list(parameters)} if parameters else {}),
    }


def refusals(statuses: Sequence[int], family: str) -> dict[str, Json]:
    """The answers with these statuses, all described in the components."""
    return {str(status): {"$ref": f"#/components/responses/{family}{status}"} for status in sorted(statuses)}


def refused(family: str, body: Json) -> dict[str, Json]:
    """The components behind ``refusals``."""
    return {
        f"{family}{status}": {
            "description": why,
            "content": content({JSON_TYPE: body}),
            **({"headers": _header(_BY_STATUS[status])} if status in _BY_STATUS else {}),
        }
        for status, why in _WHY.items()
    }


def headers() -> dict[str, Json]:
    """The headers that answers may have."""
    return {name: {"description": why, "schema": {"type": kind}} for name, (why, kind) in _HEADERS.items()}


def _header(name: str) -> Json:
    return {_ON_THE_WIRE[name]: {"$ref": f"#/components/headers/{name}"}}
