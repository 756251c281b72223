"""One service: its endpoints, put together from a loaded release and what the process lends it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from drivetrain.serve.answers import Answer, json
from drivetrain.serve.docs import HEADERS, docs_page
from drivetrain.serve.door import Route
from drivetrain.serve.health import Fixed, Health, MetricsPage
from drivetrain.serve.inference import Inference
from drivetrain.serve.labels import Labels
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.metrics import Metrics
from drivetrain.serve.openapi import HEALTH_PATHS, openapi
from drivetrain.serve.predict import Predict, RowLimits
from drivetrain.serve.protocol import Ready, ServerMetadata
from drivetrain.serve.rows import RowForm
from drivetrain.serve.scoring import Scoring
from drivetrain.store.segments import LabelLog


@dataclass(frozen=True)
class Parts:
    """What the endpoints of a service are made from."""

    release: LoadedRelease
    scoring: Scoring
    labels: LabelLog
    metrics: Metrics
    limits: RowLimits


def routes(parts: Parts, url: str) -> dict[str, Route]:
    """Every path that the service answers; ``url`` is where callers reach it."""
    release, form = parts.release, RowForm(parts.release.signature)
    inference = Inference(release, form, parts.scoring, parts.limits)
    document = openapi(release, form)
    health = Route("GET", Fixed(json(Health("ready", release.service, str(release.ref)))), open=True)
    return {
        "/v1/predict": Route("POST", Predict(release, form, parts.scoring, parts.limits)),
        "/v1/labels": Route("POST", Labels(parts.labels, parts.metrics, parts.limits)),
        **_inference_routes(release, inference),
        **dict.fromkeys(HEALTH_PATHS, health),
        "/metrics": Route("GET", MetricsPage(parts.metrics)),
        "/openapi.json": Route("GET", Fixed(Answer(200, [("content-type", "application/json")], document)), open=True),
        "/docs": Route("GET", Fixed(Answer(200, HEADERS, docs_page(release, form, document, url))), open=True),
    }


def _inference_routes(release: LoadedRelease, inference: Inference) -> dict[str, Route]:
    server = Fixed(json(ServerMetadata("drivetrain", version("drivetrain"), [])))
    metadata = Fixed(json(inference.metadata))
    ready = Fixed(json(Ready(release.service, ready=True)))
    found = {"/v2": Route("GET", server, inference=True)}
    model = f"/v2/models/{release.service}"
    for path in (model, f"{model}/versions/{release.ref.version}"):
        found[path] = Route("GET", metadata, inference=True)
        found[f"{path}/ready"] = Route("GET", ready, open=True, inference=True)
        found[f"{path}/infer"] = Route("POST", inference, inference=True)
    return found
