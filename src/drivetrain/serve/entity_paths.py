"""What the OpenAPI document says of entities."""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.serve.dashboard_paths import asked_of
from drivetrain.serve.entity_messages import EntityAnswer, EntityList
from drivetrain.serve.operations import HTML, Json, get
from drivetrain.serve.questions import ENTITIES, ENTITIES_PAGE

TYPES = (EntityList, EntityAnswer)
_NAME: Json = {
    "name": "entity", "in": "path", "required": True, "schema": {"type": "string"},
    "description": "What names it, such as `pump-7`.",
}  # fmt: skip
_PAGE: Mapping[str, Json | None] = {HTML: {"type": "string"}}


def entity_paths() -> dict[str, Json]:
    """The operations by path."""
    one = "What was predicted of an entity, its sensors and its alarms"
    drawn = get("entity_page", "One entity, drawn", _PAGE, is_open=True)
    return {
        ENTITIES: asked_of("entities", "The entities that were seen lately", "EntityList"),
        f"{ENTITIES}/{{entity}}": asked_of("entity", one, "EntityAnswer", _NAME),
        ENTITIES_PAGE: {"get": get("entities_page", "All of them, drawn", _PAGE, is_open=True)},
        f"{ENTITIES_PAGE}/{{entity}}": {"get": {**drawn, "parameters": [_NAME]}},
    }
