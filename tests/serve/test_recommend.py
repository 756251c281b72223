"""``POST /v1/recommend``, over HTTP: candidates ranked by the model, recorded, explained, and held to the rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from drivetrain.core.items import ItemsSpec
from drivetrain.core.model import InputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.history import DAY
from drivetrain.ops.purchases import Fitter, Purchases
from drivetrain.ops.retriever import CatalogueItem
from drivetrain.ops.shown import ShownRules, shown
from drivetrain.store.models import ITEMS, ModelContent
from drivetrain.testing.graphs import SIGNATURE, logistic_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, lake, running, settings_of

NAMES = ("bread", "butter", "jam", "soap", "brush", "lamp", "tea")
CATALOGUE = tuple(
    CatalogueItem(name, name.upper(), "kitchen" if name in NAMES[:3] else "house", name != "lamp")
    for name in sorted(NAMES)
)
TASTES = (("soap", "brush", "lamp"), ("bread", "butter", "jam"))
INPUTS = ("times_bought", "customer_items", "goes_with", "popular", "alike", "popular_ever")


def model(
    times: float = 0.5, catalogue: tuple[CatalogueItem, ...] = CATALOGUE, liked: str | None = None
) -> ModelContent:
    """The loans' graph over six columns of candidates: what was bought before, goes with it, is popular.

    ``liked`` was bought by everybody.
    """
    place = {item.item: place for place, item in enumerate(catalogue)}
    rows = [
        (customer, place[name], (customer + at) * DAY, 1.0)
        for customer in range(40)
        for at, name in enumerate((*TASTES[customer % 2], *([liked] if liked else [])))
    ]
    customers, items, at, price = (np.array(values) for values in zip(*sorted(rows), strict=True))
    order = np.lexsort((items, at, customers))
    bought = Purchases(customers[order], items[order], at[order], price[order])
    found = Fitter(catalogue, bought, ItemsSpec(purchases="p", catalogue="c", candidates=20)).fit(60 * DAY)
    fields = tuple(InputField(name, ColumnType.NUMBER, True, low=0, high=1) for name in INPUTS)
    made = logistic_model((times, 0.0, 3.0, 0.5, 0.0, 0.0))
    signature = replace(SIGNATURE, inputs=fields, entity="pair", target="bought")
    spread = tuple(replace(one, name=name, cuts=(), counts=(made.reference.rows,), missing=0)
                   for one, name in zip(made.reference.inputs, INPUTS, strict=True))  # fmt: skip
    reference = replace(made.reference, inputs=spread)
    return replace(made, signature=signature, reference=reference, items=found.files(ITEMS))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("shop")
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(model()))
    with running(settings_of(home, recommend=ShownRules(never=("tea",)))) as server:
        yield server


def ask(shop: Running, **body: Any) -> httpx.Response:
    return shop.client.post("/v1/recommend", json=body)


def items(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [found["item"] for found in answer.json()["recommendations"]]


def bought(*names: str, at: str = "2026-01-05T10:00:00Z") -> list[dict[str, str]]:
    return [{"item": name, "at": at} for name in names]


def test_what_goes_with_a_basket_comes_first_and_says_so(shop: Running) -> None:
    answer = ask(shop, basket=["bread"], n=2)
    first = answer.json()["recommendations"][0]
    assert set(items(answer)) == {"butter", "jam"}
    assert first["because"] == {"reason": "often bought with", "item": "bread"}
    assert first["name"] == first["item"].upper()
    assert 0 < first["score"] < 1
    assert answer.headers["x-drivetrain-release"] == answer.json()["release"]


def test_what_was_bought_before_is_recommended_again_unless_only_new_is_asked_for(shop: Running) -> None:
    history = bought("soap")
    again = ask(shop, customer="c1", history=history)
    assert items(again)[0] == "soap"
    assert again.json()["recommendations"][0]["because"] == {"reason": "bought before", "item": "soap"}
    assert "soap" not in items(ask(shop, customer="c1", history=history, only_new=True))


def test_every_candidate_is_a_recorded_prediction_that_takes_a_label(shop: Running) -> None:
    answer = ask(shop, customer="c7", history=bought("bread"), n=3)
    told = answer.json()["recommendations"]
    labels = [{"prediction_id": one["id"], "label": one["item"] == "butter"} for one in told]
    assert shop.client.post("/v1/labels", json={"labels": labels}).json() == {"recorded": 3}
    rows = {row["prediction_id"]: row for row in lake(shop.home, "predictions")}
    for one in told:
        assert rows[one["id"]]["entity"] == f"c7/{one['item']}"
        assert rows[one["id"]]["score"] == pytest.approx(one["score"])


def test_nobody_and_strangers_get_what_is_popular(shop: Running) -> None:
    plain = ask(shop)
    assert len(items(plain)) >= 3
    assert {one["because"]["reason"] for one in plain.json()["recommendations"]} == {"popular"}
    strange = ask(shop, customer="nobody", basket=["zebra"], history=bought("unicorn"))
    assert items(strange) == items(plain)
    assert strange.json()["unknown"] == ["unicorn", "zebra"]


def test_rules_hold(shop: Running) -> None:
    everything = ask(shop, n=100, basket=["soap"])
    assert not {"lamp", "tea", "soap"} & set(items(everything))  # sold out, never, in the basket already
    assert "brush" not in items(ask(shop, basket=["soap"], exclude=["brush"]))
    narrow = ask(shop, n=100, most_of_category=1)
    assert len(items(narrow)) == 2
    assert narrow.json()["rules"] == {"in_stock": True, "most_of_category": 1, "held_back": 3}
    assert items(ask(shop, exclude=list(NAMES))) == []


def test_ten_thousand_items_are_answered_and_one_more_is_refused(shop: Running) -> None:
    many = [f"item-{at}" for at in range(9_999)]
    assert items(ask(shop, basket=["bread", *many], n=2)) == items(ask(shop, basket=["bread"], n=2))
    assert ask(shop, basket=["bread", *many, "soap"]).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"basket": "bread"}, "field_type"),
        ({"basket": [7]}, "field_type"),
        ({"basket": [""]}, "field_invalid"),
        ({"n": 0}, "field_range"),
        ({"n": 101}, "field_range"),
        ({"customer": "x" * 65}, "field_invalid"),
        ({"customer": "x" * 60, "basket": ["bread"]}, "entity_invalid"),
        ({"history": [{"item": "bread"}]}, "field_missing"),
        ({"history": [{"item": "bread", "at": "yesterday"}]}, "field_invalid"),
        ({"history": [{"item": "bread", "at": "2999-01-01T00:00:00Z"}]}, "bought_later"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "field_range"),
        ({"baskets": []}, "field_unknown"),
        ({"most_of_category": 0}, "field_range"),
    ],
)
def test_garbage_is_refused_by_name(shop: Running, body: dict[str, Any], code: str) -> None:
    answer = ask(shop, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert ask(shop).status_code == 200


def test_it_stands_in_the_document_where_there_are_items_alone(shop: Running, server: Running) -> None:
    assert "/v1/recommend" in shop.anyone.get("/openapi.json").json()["paths"]
    assert shop.anyone.post("/v1/recommend", json={}).status_code == 401
    assert "/v1/recommend" not in server.anyone.get("/openapi.json").json()["paths"]
    refused = server.client.post("/v1/recommend", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_items")


def test_a_category_gives_way_when_it_has_enough() -> None:
    assert shown(["a", "a", "b", "a", "", ""], 4, 1) == [0, 2, 4, 5]
    assert shown(["a", "a", "b"], 2, None) == [0, 1]
    assert shown([], 5, 1) == []
