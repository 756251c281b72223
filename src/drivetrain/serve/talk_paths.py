"""What the OpenAPI document says of searching: only where the release that answers has something to search."""

from __future__ import annotations

import msgspec

from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.operations import JSON_TYPE, Json, post, schema
from drivetrain.serve.search import SearchAnswer, SearchRequest


def talk_paths(release: LoadedRelease) -> dict[str, Json]:
    """The operations by their paths."""
    if release.knowledge is None:
        return {}
    example = {"query": release.knowledge.passages[0].question}
    asked = {JSON_TYPE: {"schema": schema("SearchRequest"), "example": example}}
    found = {JSON_TYPE: schema("SearchAnswer")}
    return {"/v1/search": {"post": post("search", "Find passages that answer a question", asked, found)}}


def talk_types(release: LoadedRelease) -> tuple[type[msgspec.Struct], ...]:
    """The types of their bodies."""
    return () if release.knowledge is None else (SearchRequest, SearchAnswer)
