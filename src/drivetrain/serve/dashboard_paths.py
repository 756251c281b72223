"""What the OpenAPI document says of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.serve.forecast_messages import AccuracyAnswer, HistoryAnswer, SeriesAnswer, SeriesList
from drivetrain.serve.operations import HTML, JSON_TYPE, REFUSED, Json, get, refusals, schema
from drivetrain.serve.questions import ACCURACY, PAGE, PARAMETERS, SERIES, What

TYPES = (SeriesList, SeriesAnswer, HistoryAnswer, AccuracyAnswer)
_CSV = "text/csv"
_MORE = refusals([404], REFUSED)
_NAME: Json = {
    "name": "series", "in": "path", "required": True, "schema": {"type": "string"},
    "description": "`level/name`, such as `item/85123A` or `total/all`.",
}  # fmt: skip


def dashboard_paths() -> dict[str, Json]:
    """The operations by path."""
    return {
        SERIES: asked_of("series", "The series that are forecast", "SeriesList"),
        f"{SERIES}/{{series}}": asked_of(
            "one", "What happened to a series, and its newest forecast", "SeriesAnswer", _NAME
        ),
        f"{SERIES}/{{series}}/forecasts": asked_of("history", "Every forecast of a series", "HistoryAnswer", _NAME),
        ACCURACY: asked_of("accuracy", "How good forecasts were, where the truth has arrived", "AccuracyAnswer"),
        PAGE: {"get": get("forecasts", "All of it, drawn", {HTML: {"type": "string"}}, is_open=True)},
    }


def asked_of(what: What, summary: str, told: str, *parameters: Json) -> Json:
    """A question of a page: its parameters, and the answer as JSON or CSV."""
    asked = [
        {
            "name": name, "in": "query", "description": one.about,
            "schema": {"type": "integer" if isinstance(one.default, int) else "string", "default": one.default},
        }
        for name, one in PARAMETERS[what].items()
    ]  # fmt: skip
    answers: Mapping[str, Json | None] = {JSON_TYPE: schema(told), _CSV: {"type": "string"}}
    return {"get": {**get(what, summary, answers, more=_MORE), "parameters": [*parameters, *asked]}}
