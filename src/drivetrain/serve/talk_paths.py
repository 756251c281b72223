"""What the OpenAPI document says of searching and recommending: only where the release that answers can do so."""

from __future__ import annotations

import msgspec

from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.operations import JSON_TYPE, Json, post, schema
from drivetrain.serve.recommend import RecommendAnswer, RecommendRequest
from drivetrain.serve.search import SearchAnswer, SearchRequest


def talk_paths(release: LoadedRelease) -> dict[str, Json]:
    """The operations by their paths."""
    return {**_searched(release), **_recommended(release)}


def _searched(release: LoadedRelease) -> dict[str, Json]:
    if release.knowledge is None:
        return {}
    example = {"query": release.knowledge.passages[0].question}
    asked = {JSON_TYPE: {"schema": schema("SearchRequest"), "example": example}}
    found = {JSON_TYPE: schema("SearchAnswer")}
    return {"/v1/search": {"post": post("search", "Find passages that answer a question", asked, found)}}


def talk_types(release: LoadedRelease) -> tuple[type[msgspec.Struct], ...]:
    """The types of their bodies."""
    search = () if release.knowledge is None else (SearchRequest, SearchAnswer)
    return search if release.retriever is None else (*search, RecommendRequest, RecommendAnswer)


def _recommended(release: LoadedRelease) -> dict[str, Json]:
    if release.retriever is None:
        return {}
    example = {"basket": [each.item for each in release.retriever.catalogue[:1]], "n": 5}
    asked = {JSON_TYPE: {"schema": schema("RecommendRequest"), "example": example}}
    found = {JSON_TYPE: schema("RecommendAnswer")}
    return {"/v1/recommend": {"post": post("recommend", "Items that somebody may buy next", asked, found)}}
