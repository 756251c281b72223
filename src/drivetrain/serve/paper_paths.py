"""What the OpenAPI document says of documents: only of a service that reads them."""

from __future__ import annotations

from typing import Any

import msgspec

from drivetrain.core.papers import PaperRow
from drivetrain.serve.contender import Contender
from drivetrain.serve.operations import DEADLINE, JSON_TYPE, Json, content, post, schema
from drivetrain.serve.papers import TAKEN, DocumentAnswer


def paper_paths() -> dict[str, Json]:
    """The operations by their paths."""
    asked = content(dict.fromkeys(TAKEN))
    found = {JSON_TYPE: schema("DocumentAnswer")}
    return {
        "/v1/documents": {
            "post": post("documents", "Read a document and score it", asked, found, parameters=(DEADLINE,))
        }
    }


def paper_types(champion: Contender) -> tuple[type[msgspec.Struct], ...]:
    """The types of their bodies."""
    said: Any = champion.wording.prediction_type | None
    fields: list[Any] = [("release", str), ("prediction", said), ("document", PaperRow)]
    return (msgspec.defstruct("DocumentAnswer", fields, namespace={"__doc__": DocumentAnswer.__doc__}),)
