"""The OpenAPI 3.1 document of a service: the model's signature, and the types that the endpoints themselves use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from drivetrain.core.model import InputField
from drivetrain.core.schema import ColumnType
from drivetrain.serve.answers import ErrorAnswer, InferenceErrorAnswer
from drivetrain.serve.contender import Contender
from drivetrain.serve.health import LIVE_PATHS, READY_PATHS, DeploymentState, Health
from drivetrain.serve.labels import LabelsAnswer, LabelsRequest
from drivetrain.serve.predict import PredictAnswer, Value, readable
from drivetrain.serve.protocol import InferenceAnswer, InferenceRequest, ModelMetadata, Ready, ServerMetadata
from drivetrain.serve.rows import RowForm

Json = Mapping[str, object]
_REF = "#/components/schemas/{name}"
_TYPES = (
    PredictAnswer, LabelsRequest, LabelsAnswer, InferenceRequest, InferenceAnswer, ModelMetadata, ServerMetadata, Ready,
    Health, DeploymentState, ErrorAnswer, InferenceErrorAnswer,
)  # fmt: skip
_REFUSALS = {
    "400": "The request is not as it should be; the body says where.",
    "401": "No API key, or one that is not known.",
    "405": "This path is not answered to this method.",
    "413": "The body is too large, or has too many rows.",
    "415": "The body is not JSON.",
    "429": "Too many requests with this API key; see Retry-After.",
    "500": "The server, or the model's own code, made a mistake.",
    "503": "Overloaded, the model does not answer, or the journal cannot be written; see Retry-After.",
}
_OF_OPEN = ("405", "500")
_OF_GET = ("401", "405", "429", "500")
_OF_POST = ("400", "401", "405", "413", "415", "429", "500", "503")


def openapi(service: str, champion: Contender) -> bytes:
    """The document of a service, as JSON, for the release that answers."""
    form, release = champion.form, champion.release
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": service,
            "version": champion.name,
            "description": f"The probability of `{release.signature.target}`, and a decision: true when the score is "
            f"at least {release.threshold:g}. Served by Drivetrain {version('drivetrain')}.",
        },
        "paths": _paths(service, champion),
        "components": {
            "schemas": _schemas(form),
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
    return {field.name: readable(field, field.typical) for field in form.signature.inputs}


def _paths(service: str, champion: Contender) -> Json:
    form = champion.form
    model = f"/v2/models/{service}"
    at_version = f"{model}/versions/{champion.release.ref.version}"
    infer = _post("Score tensors", "InferenceRequest", "InferenceAnswer", None, inference=True)
    metadata = _get("What the model takes and gives", "ModelMetadata")
    predict = _post("Score rows of named columns", "PredictRequest", "PredictAnswer", {"rows": [example_row(form)]})
    labels = {"labels": [{"prediction_id": "019a...", "label": True}]}
    return {
        "/v1/predict": {"post": {**predict, "parameters": [_EXPLAIN]}},
        "/v1/labels": {"post": _post("Tell outcomes of earlier predictions", "LabelsRequest", "LabelsAnswer", labels)},
        "/v2": {"get": _get("Open Inference Protocol: the server", "ServerMetadata")},
        model: {"get": metadata},
        at_version: {"get": metadata},
        f"{model}/infer": {"post": infer},
        f"{at_version}/infer": {"post": infer},
        f"{model}/ready": {"get": _get("Whether the model answers", "Ready", is_open=True)},
        f"{at_version}/ready": {"get": _get("Whether the model answers", "Ready", is_open=True)},
        **{path: {"get": _get("Whether the server runs", "Health", is_open=True)} for path in LIVE_PATHS},
        **{path: {"get": _get("Whether a service answers", "Health", is_open=True)} for path in READY_PATHS},
        "/v1/deployment": {"get": _get("What serves, and how a challenger does", "DeploymentState")},
        "/metrics": {"get": _get("Metrics in the text format of Prometheus", None, media="text/plain")},
        "/openapi.json": {"get": _get("This document", None, is_open=True)},
        "/docs": {"get": _get("This document as a page", None, media="text/html", is_open=True)},
    }


_EXPLAIN = {
    "name": "explain",
    "in": "query",
    "description": "Give the top reasons of each decision; the same as `explain` in the body.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}


def _get(summary: str, answer: str | None, *, media: str = "application/json", is_open: bool = False) -> Json:
    schema = {"$ref": _REF.format(name=answer)} if answer else {"type": "object" if "json" in media else "string"}
    operation: dict[str, object] = {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": {media: {"schema": schema}}},
            **_refusals(_OF_OPEN if is_open else _OF_GET, "ErrorAnswer"),
        },
    }
    return {**operation, "security": []} if is_open else operation


def _post(summary: str, request: str, answer: str, example: Json | None, *, inference: bool = False) -> Json:
    body: dict[str, object] = {"schema": {"$ref": _REF.format(name=request)}}
    if example is not None:
        body["example"] = example
    schema = {"$ref": _REF.format(name=answer)}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": schema}}},
            **_refusals(_OF_POST, "InferenceErrorAnswer" if inference else "ErrorAnswer"),
        },
    }


def _refusals(statuses: tuple[str, ...], answer: str) -> Json:
    content = {"application/json": {"schema": {"$ref": _REF.format(name=answer)}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def _schemas(form: RowForm) -> Json:
    _, schemas = msgspec.json.schema_components([form.request_type, *_TYPES], ref_template=_REF)
    row: dict[str, Any] = schemas["Row"]["properties"]
    for field in form.signature.inputs:
        row[field.name] = {**row[field.name], "description": _usual(field), "examples": _examples(field)}
    if form.entity is not None:
        row[form.entity] = {**row[form.entity], "description": "Your own name of the case; recorded, not scored."}
    return schemas


def _usual(field: InputField) -> str:
    if field.type is ColumnType.TEXT:
        return f"One of {len(field.categories)} known texts; any other is treated as unknown."
    if field.low is None or field.high is None:
        return f"A {field.type}."
    low, high = readable(field, field.low), readable(field, field.high)
    return f"Between {low} and {high} in the training data."


def _examples(field: InputField) -> list[object]:
    return list(field.categories[:20]) if field.type is ColumnType.TEXT else [readable(field, field.typical)]
