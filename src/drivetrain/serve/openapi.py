"""The OpenAPI 3.1 document of a service: the model's signature, and the types that the endpoints themselves use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from types import GenericAlias
from typing import Any

import msgspec

from drivetrain.access.scopes import Scope
from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.saying import Saying
from drivetrain.serve.answers import ErrorAnswer, InferenceErrorAnswer, StreamErrorAnswer
from drivetrain.serve.arrow_stream import ARROW
from drivetrain.serve.binary_tensors import BINARY
from drivetrain.serve.contender import Contender
from drivetrain.serve.dashboard_paths import TYPES as DASHBOARD
from drivetrain.serve.dashboard_paths import dashboard_paths
from drivetrain.serve.entity_paths import TYPES as ENTITIES
from drivetrain.serve.entity_paths import entity_paths
from drivetrain.serve.health import LIVE_PATHS, READY_PATHS, DeploymentState, Health
from drivetrain.serve.labels import REQUESTS, LabelsAnswer
from drivetrain.serve.line_stream import NDJSON
from drivetrain.serve.operations import (
    DEADLINE,
    EXPLAIN,
    HTML,
    INFERENCE_REFUSED,
    JSON_TYPE,
    NOTHING,
    REFUSED,
    TEXT,
    Json,
    content,
    get,
    headers,
    one_of,
    post,
    refusals,
    refused,
    schema,
)
from drivetrain.serve.paper_paths import paper_paths, paper_types
from drivetrain.serve.predict import PredictAnswer, readable
from drivetrain.serve.protocol import InferenceAnswer, InferenceRequest, ModelMetadata, Ready, ServerMetadata
from drivetrain.serve.queue_paths import queue_paths, queue_types
from drivetrain.serve.rows import RowForm
from drivetrain.serve.settings import ServiceSettings
from drivetrain.serve.talk_paths import talk_paths, talk_types
from drivetrain.serve.wording import Value
from drivetrain.store.segments import ENTITY_BYTES

_TYPES = (
    StreamErrorAnswer, LabelsAnswer, InferenceRequest, InferenceAnswer, ModelMetadata,
    ServerMetadata, Ready, Health, DeploymentState, ErrorAnswer, InferenceErrorAnswer,
)  # fmt: skip
_COMPONENT = "#/components/schemas/{name}"
EXAMPLE_ID = "019a62f41c7f3b2d9c1e00000000"
_STREAMS = (
    f"As `{NDJSON}` any number of rows, one object a line, and one answer a line; as `{ARROW}` the same in record "
    "batches, with a column in the answer for whatever is said of a row. The answer has the form of the request."
)


def openapi(
    settings: ServiceSettings,
    prefix: str,
    champion: Contender,
    scope: Callable[[str], Scope | None],
    *,
    has_queue: bool,
) -> bytes:
    """The document of a service whose own paths begin with ``prefix``, as JSON, for the release that answers.

    ``scope`` tells what a key must be good for at a path; None: none is asked for there.
    """
    more = (paper_paths() if settings.documents else {}) | (dashboard_paths() if settings.forecasts else {})
    more |= entity_paths() if settings.entities else {}
    types = [
        *(paper_types(champion) if settings.documents else ()),
        *(DASHBOARD if settings.forecasts else ()),
        *(ENTITIES if settings.entities else ()),
    ]
    service, release = settings.name, champion.release
    if has_queue:
        more |= queue_paths(example_label(release.signature))
        types += queue_types(release.signature.task)
    paths = {
        **{prefix + path: operations for path, operations in {**_of_service(champion), **more}.items()},
        **_of_model(f"/v2/models/{service}"),
        **_of_model(
            f"/v2/models/{service}/versions/{release.ref.version}", "_of_version", refusals([404], INFERENCE_REFUSED)
        ),
        **_of_server(),
    }
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": service,
            "version": champion.name,
            "description": f"{_said(release.saying)} Served by Drivetrain {version('drivetrain')}.",
        },
        "paths": {path: _guarded(operations, scope(path)) for path, operations in paths.items()},
        "components": {
            "schemas": _schemas(champion, types),
            "headers": headers(),
            "responses": {
                **refused(REFUSED, schema("ErrorAnswer")),
                **refused(INFERENCE_REFUSED, one_of("InferenceErrorAnswer", "ErrorAnswer")),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"key": []}],
    }
    return msgspec.json.encode(document)


def example_row(form: RowForm) -> dict[str, Value]:
    """The typical row of the training data, as a caller would write it."""
    return {field.name: readable(field, field.typical) for field in form.asked}


def _said(saying: Saying) -> str:
    """What a release says, in a sentence."""
    target, rule = saying.signature.target, saying.rule
    score = {
        Task.YES_NO: f"The probability of `{target}`",
        Task.CLASSES: f"Which of {len(saying.signature.classes)} classes `{target}` is (`class`), its probability",
        Task.NUMBER: f"An estimate of `{target}`, the interval around it (`low` to `high`)",
    }[saying.signature.task]
    if saying.signature.blind:
        score = f"How odd a row is, the share of usual rows that look less odd (`{target}`, learned without labels)"
    when = f"when the score is at {'most' if rule.below else 'least'} {rule.threshold:g}"
    unless = " unless a rule decides" if saying.rules else ""
    return f"{score}, and a decision: {'always true' if rule.kind == 'none' else f'true {when}'}{unless}."


def example_label(signature: Signature) -> str | float | bool:
    """An outcome, as a caller would tell it."""
    if signature.task is Task.CLASSES:
        return signature.classes[0]
    return 42.0 if signature.task is Task.NUMBER else True


def _guarded(operations: Mapping[str, Any], scope: Scope | None) -> Json:
    """The operations of a path with what a key must be good for."""
    if scope is None:
        return operations
    security = [{"bearer": [scope]}, {"key": [scope]}]
    return {method: {**operation, "security": security} for method, operation in operations.items()}


def _of_service(champion: Contender) -> dict[str, Json]:
    row = example_row(champion.form)
    label = {"prediction_id": EXAMPLE_ID, "label": example_label(champion.release.signature)}
    asked = {
        JSON_TYPE: {"schema": schema("PredictRequest"), "example": {"rows": [row]}},
        NDJSON: {"schema": schema("Row"), "example": row},
        ARROW: content({ARROW: None})[ARROW],
    }
    told = {JSON_TYPE: schema("PredictAnswer"), NDJSON: one_of("Prediction", "StreamErrorAnswer"), ARROW: None}
    predict = post("predict", "Score rows of named columns", asked, told, parameters=(EXPLAIN, DEADLINE))
    labels = {
        JSON_TYPE: {
            "schema": schema("LabelsRequest"),
            "example": {"labels": [label]},
        }
    }
    recorded = {JSON_TYPE: schema("LabelsAnswer")}
    deployed = {JSON_TYPE: schema("DeploymentState")}
    return {
        "/v1/predict": {"post": {**predict, "description": _STREAMS}},
        "/v1/labels": {"post": post("labels", "Tell outcomes of earlier predictions", labels, recorded)},
        **talk_paths(champion.release),
        "/v1/deployment": {"get": get("deployment", "What serves, and how a challenger does", deployed)},
        "/openapi.json": {"get": get("document", "This document", {JSON_TYPE: {"type": "object"}}, is_open=True)},
        "/docs": {"get": get("page", "This document as a page", {HTML: {"type": "string"}}, is_open=True)},
    }


def _of_model(path: str, name: str = "", more: Json = NOTHING) -> dict[str, Json]:
    """What the Open Inference Protocol says of a model; ``name`` is part of the names of the operations."""
    asked = {JSON_TYPE: {"schema": schema("InferenceRequest")}, BINARY: content({BINARY: None})[BINARY]}
    scored = {JSON_TYPE: schema("InferenceAnswer"), BINARY: None}
    infer = post(
        f"infer{name}", "Score tensors; they may stand behind the JSON (binary tensor data extension)", asked, scored,
        parameters=(DEADLINE,), family=INFERENCE_REFUSED, more=more,
    )  # fmt: skip
    takes = {JSON_TYPE: schema("ModelMetadata")}
    described = get(f"model{name}", "What the model takes and gives", takes, family=INFERENCE_REFUSED, more=more)
    no = _no("Ready", "InferenceErrorAnswer", "ErrorAnswer")
    answers = {JSON_TYPE: schema("Ready")}
    ready = get(
        f"ready{name}",
        "Whether the model answers",
        answers,
        is_open=True,
        family=INFERENCE_REFUSED,
        more={**more, **no},
    )
    return {path: {"get": described}, f"{path}/ready": {"get": ready}, f"{path}/infer": {"post": infer}}


def _of_server() -> dict[str, Json]:
    who, health = {JSON_TYPE: schema("ServerMetadata")}, {JSON_TYPE: schema("Health")}
    live, ready = ("Whether the server runs", NOTHING), ("Whether a service answers", _no("Health", "ErrorAnswer"))
    return {
        "/v2": {"get": get("server", "Open Inference Protocol: the server", who, family=INFERENCE_REFUSED)},
        "/metrics": {"get": get("metrics", "Metrics in the text format of Prometheus", {TEXT: {"type": "string"}})},
        **{
            path: {"get": get(path[1:].replace("/", "_"), summary, health, is_open=True, more=more)}
            for paths, (summary, more) in ((LIVE_PATHS, live), (READY_PATHS, ready))
            for path in paths
        },
    }


def _no(*bodies: str) -> Json:
    return {"503": {"description": "Nothing answers now.", "content": content({JSON_TYPE: one_of(*bodies)})}}


def _schemas(champion: Contender, more: Sequence[type[msgspec.Struct]]) -> Json:
    form, prediction = champion.form, champion.wording.prediction_type
    fields: list[Any] = [("release", str), ("predictions", GenericAlias(list, (prediction,)))]
    answer = msgspec.defstruct("PredictAnswer", fields, namespace={"__doc__": PredictAnswer.__doc__})
    labels = REQUESTS[champion.release.signature.task]
    types = [form.request_type, answer, labels, *_TYPES, *talk_types(champion.release), *more]
    _, schemas = msgspec.json.schema_components(types, ref_template=_COMPONENT)
    schemas["PredictRequest"]["properties"]["rows"]["minItems"] = 1
    row: dict[str, Any] = schemas["Row"]["properties"]
    for field in form.asked:
        row[field.name] = {**row[field.name], "description": _usual(field), "examples": _examples(field)}
    if form.entity is not None:
        row[form.entity] = {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": ENTITY_BYTES, "pattern": "^[^\\u0000]*$"},
                {"type": "integer"},
                {"type": "null"},
            ],
            "default": None,
            "description": f"Your own name of the case, at most {ENTITY_BYTES} bytes in UTF-8; recorded, not scored.",
        }
    return schemas


def _usual(field: InputField) -> str:
    if field.type is ColumnType.TEXT and not field.categories:
        return "Free text, read as language."
    if field.type is ColumnType.TEXT:
        return f"One of {len(field.categories)} known texts; any other is treated as unknown."
    if field.low is None or field.high is None:
        return f"A {field.type}."
    low, high = readable(field, field.low), readable(field, field.high)
    return f"Between {low} and {high} in the training data."


def _examples(field: InputField) -> list[object]:
    return list(field.categories[:20]) if field.type is ColumnType.TEXT else [readable(field, field.typical)]
