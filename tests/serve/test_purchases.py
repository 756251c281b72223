"""``POST /v1/purchases``, over HTTP: what is told counts from the next recommendation on, whichever worker gives it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, lake, running, settings_of
from .test_recommend import model

PAST = "2026-01-05T10:00:00Z"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("kept")
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(model()))
    with running(settings_of(home, workers=2)) as server:
        yield server


def post(shop: Running, path: str, **body: Any) -> httpx.Response:
    """By a new connection: whichever worker it meets."""
    with httpx.Client(base_url=shop.url, headers=shop.client.headers, timeout=20) as client:
        return client.post(path, json=body)


def tell(shop: Running, *purchases: dict[str, Any]) -> dict[str, Any]:
    answer = post(shop, "/v1/purchases", purchases=purchases)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def recommend(shop: Running, customer: str, **body: Any) -> dict[str, Any]:
    answer = post(shop, "/v1/recommend", customer=customer, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {one["item"]: one["because"]["reason"] for one in answer["recommendations"]}


def test_what_was_told_counts_at_once_through_any_worker_and_as_if_it_had_been_sent(shop: Running) -> None:
    assert recommend(shop, "ann")["remembered"] == 0
    assert tell(shop, {"customer": "ann", "item": "bread", "at": PAST}) == {"kept": 1, "labelled": 0}
    at = "2026-02-01T00:00:00Z"
    sent = recommend(shop, "ann", history=[{"item": "bread", "at": PAST}], at=at)
    for _ in range(6):
        kept = recommend(shop, "ann", at=at)
        assert kept["remembered"] == 1
        assert [(one["item"], one["score"], one["because"]) for one in kept["recommendations"]] == [
            (one["item"], one["score"], one["because"]) for one in sent["recommendations"]
        ]
    assert reasons(kept)["bread"] == "bought before"
    assert recommend(shop, "ann", at="2026-01-01T00:00:00Z")["remembered"] == 0, "it was not yet bought then"
    assert recommend(shop, "ann", history=[])["remembered"] == 0, "what is sent counts, and not what is kept"
    assert recommend(shop, "")["remembered"] == 0
    assert "bread" not in reasons(recommend(shop, "ann", only_new=True))


def test_a_purchase_of_what_was_recommended_is_its_label(shop: Running) -> None:
    first = recommend(shop, "bob")["recommendations"][0]
    told = {"customer": "bob", "item": first["item"], "prediction_id": first["id"]}
    assert tell(shop, told) == {"kept": 1, "labelled": 1}
    labels = {row["prediction_id"]: row["label"] for row in lake(shop.home, "labels")}
    assert str(labels[first["id"]]).lower() == "true"
    assert recommend(shop, "bob")["remembered"] == 1


def test_who_is_forgotten_is_a_stranger_again(shop: Running) -> None:
    tell(shop, {"customer": "eve", "item": "soap", "at": PAST}, {"customer": "eve", "item": "unicorn", "at": PAST})
    assert recommend(shop, "eve")["remembered"] == 2
    assert post(shop, "/v1/purchases/forget", customer="eve").json() == {"forgotten": 2}
    assert recommend(shop, "eve")["remembered"] == 0
    assert post(shop, "/v1/purchases/forget", customer="eve").json() == {"forgotten": 0}


def test_what_was_told_outlives_the_server_but_not_its_time(tmp_path) -> None:
    maker = ReleaseMaker(tmp_path, SERVICE)
    maker.deploy(maker.release(model()))
    with running(settings_of(tmp_path)) as first:
        tell(first, {"customer": "kim", "item": "jam", "at": PAST}, {"customer": "kim", "item": "tea"})
        assert recommend(first, "kim")["remembered"] == 2
    with running(settings_of(tmp_path, remember_days=1)) as again:
        assert recommend(again, "kim")["remembered"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"purchases": []}, "field_invalid"),
        ({"purchases": [{"item": "tea"}]}, "field_missing"),
        ({"purchases": [{"customer": "", "item": "tea"}]}, "field_invalid"),
        ({"purchases": [{"customer": "a\u0000b", "item": "tea"}]}, "field_invalid"),
        ({"purchases": [{"customer": "ann", "item": 7}]}, "field_type"),
        ({"purchases": [{"customer": "ann", "item": "tea", "at": "soon"}]}, "field_invalid"),
        ({"purchases": [{"customer": "ann", "item": "tea", "prediction_id": "?"}]}, "field_invalid"),
        ({"purchases": [{"customer": "ann", "item": "tea", "price": 1}]}, "field_unknown"),
    ],
)
def test_garbage_is_refused_by_name(shop: Running, body: dict[str, Any], code: str) -> None:
    answer = post(shop, "/v1/purchases", **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_the_future_is_refused_and_so_is_a_service_that_recommends_nothing(shop: Running, server: Running) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    early = post(shop, "/v1/purchases", purchases=[{"customer": "ann", "item": "tea", "at": soon}])
    assert (early.status_code, early.json()["error"]["code"]) == (400, "bought_later")
    assert early.json()["error"]["where"] == "purchases[0].at"
    refused = post(server, "/v1/purchases", purchases=[{"customer": "ann", "item": "tea"}])
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_items")
    assert shop.anyone.post("/v1/purchases", json={}).status_code == 401
    assert "/v1/purchases" in shop.anyone.get("/openapi.json").json()["paths"]
