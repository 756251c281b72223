"""What the OpenAPI document says of searching, talking and recommending: only where the release that answers can."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from drivetrain.serve.chat_messages import (
    ChatAnswer,
    ChatRequest,
    FeedbackAnswer,
    FeedbackRequest,
    ForgetAnswer,
    ForgetRequest,
)
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.operations import JSON_TYPE, REFUSED, Json, get, post, refusals, schema
from drivetrain.serve.purchases import (
    ForgetCustomerAnswer,
    ForgetCustomerRequest,
    PurchasesAnswer,
    PurchasesRequest,
)
from drivetrain.serve.recommend_messages import RecommendAnswer, RecommendRequest
from drivetrain.serve.search import SearchAnswer, SearchRequest

_CHAT = (
    ("/v1/chat", "chat", "Reply to a message of a conversation", "Chat"),
    ("/v1/chat/forget", "forget", "Delete a conversation and what was handed over of it", "Forget"),
    ("/v1/feedback", "feedback", "Tell whether a message was understood, or what it was about", "Feedback"),
)
_CHAT_TYPES = (ChatRequest, ChatAnswer, ForgetRequest, ForgetAnswer, FeedbackRequest, FeedbackAnswer)

_RECOMMEND = (
    ("/v1/recommend", "recommend", "Items that somebody may buy next", "Recommend"),
    (
        "/v1/purchases",
        "purchases",
        "Tell what customers bought: it counts from the next recommendation on",
        "Purchases",
    ),
    ("/v1/purchases/forget", "forget_customer", "Delete what a customer bought", "ForgetCustomer"),
)
_EXAMPLES: Mapping[str, Callable[[str], Json]] = {
    "Recommend": lambda item: {"basket": [item], "n": 5},
    "Purchases": lambda item: {"purchases": [{"customer": "17850", "item": item, "at": "2026-01-05T10:00:00Z"}]},
    "ForgetCustomer": lambda item: {"customer": "17850"},
}
_RECOMMEND_TYPES = (
    RecommendRequest, RecommendAnswer, PurchasesRequest, PurchasesAnswer, ForgetCustomerRequest, ForgetCustomerAnswer,
)  # fmt: skip


def talk_paths(release: LoadedRelease) -> dict[str, Json]:
    """The operations by their paths."""
    return {**_searched(release), **_talked(release), **_recommended(release)}


def talk_types(release: LoadedRelease) -> tuple[type[msgspec.Struct], ...]:
    """The types of their bodies."""
    search = () if release.knowledge is None else (SearchRequest, SearchAnswer)
    talk = () if release.chat is None else _CHAT_TYPES
    recommend = () if release.retriever is None else _RECOMMEND_TYPES
    return (*search, *talk, *recommend)


def _searched(release: LoadedRelease) -> dict[str, Json]:
    if release.knowledge is None:
        return {}
    example = {"query": release.knowledge.passages[0].question}
    asked = {JSON_TYPE: {"schema": schema("SearchRequest"), "example": example}}
    found = {JSON_TYPE: schema("SearchAnswer")}
    return {"/v1/search": {"post": post("search", "Find passages that answer a question", asked, found)}}


def _talked(release: LoadedRelease) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for path, name, summary, kind in _CHAT if release.chat is not None else ():
        asked, answer = {JSON_TYPE: {"schema": schema(f"{kind}Request")}}, {JSON_TYPE: schema(f"{kind}Answer")}
        found[path] = {"post": post(name, summary, asked, answer, more=refusals([404], REFUSED))}
    if release.chat is not None:
        script = {"text/javascript": {"type": "string"}}
        found["/widget.js"] = {"get": get("widget", "The conversation for a web page", script, is_open=True)}
    return found


def _recommended(release: LoadedRelease) -> dict[str, Json]:
    if release.retriever is None:
        return {}
    item = release.retriever.catalogue[0].item if release.retriever.catalogue else "17"
    found: dict[str, Json] = {}
    for path, name, summary, kind in _RECOMMEND:
        asked = {JSON_TYPE: {"schema": schema(f"{kind}Request"), "example": _EXAMPLES[kind](item)}}
        found[path] = {"post": post(name, summary, asked, {JSON_TYPE: schema(f"{kind}Answer")})}
    return found
