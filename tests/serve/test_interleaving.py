"""Two recommenders in one list, over HTTP: both find their own items, and what is bought decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drivetrain.core.artifacts import Deployment, Release
from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.retriever import CatalogueItem
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import ModelContent
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, lake, running, settings_of, until
from .test_recommend import CATALOGUE, model

RULE = CanaryRule(rows=150, labels=20, max_slower=1000.0, max_less_diverse=1.0)
"""How long it takes is not what these tests are about."""
CAKE = CatalogueItem("cake", "CAKE", "bakery")


@dataclass(frozen=True)
class Shop:
    """A server whose champion everybody in this file challenges, and who makes releases for it."""

    server: Running
    maker: ReleaseMaker
    champion: Release

    def try_out(self, made: ModelContent, share: float = 0.9, *, unheard: bool = False) -> Release:
        """Deploy a challenger beside the champion, or a shadow, and wait until it is taken up."""
        release = self.maker.release(made)
        if unheard:
            deployed = self.maker.deploy(self.champion, shadows=[release])
        else:
            deployed = self.maker.deploy(self.champion, release, share)
        self.server.deployed(deployed.version)
        return release


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("shop")
    maker = ReleaseMaker(home, SERVICE)
    champion = maker.release(model())
    maker.deploy(champion)
    with running(settings_of(home, canary=RULE)) as server:
        yield Shop(server, maker, champion)


def ask(server: Running, customer: int, **body: Any) -> dict[str, Any]:
    answer = server.client.post("/v1/recommend", json={"customer": f"c{customer}", **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def items(answer: dict[str, Any]) -> list[str]:
    return [found["item"] for found in answer["recommendations"]]


def buy(server: Running, answer: dict[str, Any], wanted: Sequence[str]) -> None:
    labels = [{"prediction_id": one["id"], "label": True} for one in answer["recommendations"] if one["item"] in wanted]
    assert server.client.post("/v1/labels", json={"labels": labels}).json() == {"recorded": len(labels)}


def standing(server: Running) -> Deployment:
    with Catalog(server.home) as catalog:
        found = catalog.latest(Deployment, SERVICE)
    assert found is not None
    return found


def test_a_challenger_finds_items_of_its_own_and_goes_when_nobody_buys_them(shop: Shop) -> None:
    server, champion = shop.server, shop.champion
    challenger = shop.try_out(model(catalogue=(*CATALOGUE, CAKE), liked="cake"), 0.5)
    met = {number: ask(server, number)["mixed_with"] for number in range(20)}
    assert set(met.values()) == {str(challenger.ref), ""}
    assert met == {number: ask(server, number)["mixed_with"] for number in range(20)}, "stable by customer"
    mixed = next(number for number, whose in met.items() if whose)
    answer = ask(server, mixed)
    assert "cake" in items(answer), "the champion does not know it"
    assert len(set(items(answer))) == len(items(answer))
    assert "lamp" not in items(answer), "it is sold out"
    rows = {row["prediction_id"]: row for row in lake(server.home, "predictions")}
    whose = {one["item"]: rows[one["id"]]["release"] for one in answer["recommendations"]}
    assert whose["cake"] == str(challenger.ref)
    assert set(whose.values()) == {str(champion.ref), str(challenger.ref)}
    number = 0
    while standing(server).challenger is not None:
        number += 1
        answer = ask(server, number)
        buy(server, answer, [item for item in items(answer) if item != "cake"][:1])
        assert number < 5000
    assert standing(server).champion == champion.ref
    assert standing(server).reason.startswith("rolled back by the live judge after ")
    assert "recommendations: choices: " in standing(server).reason
    assert ask(server, mixed)["mixed_with"] == ""


def test_what_a_challenger_is_judged_by_is_shown_and_an_equal_one_is_promoted(shop: Shop) -> None:
    server, challenger = shop.server, shop.try_out(model(times=0.505))
    bought = 0
    while standing(server).challenger is not None:
        answer = ask(server, bought, basket=["bread"])
        buy(server, answer, [("butter", "jam")[bought % 2]])
        bought += 1
        if bought == 10:
            said = server.client.get("/v1/deployment").json()
            assert said["challenger"] == str(challenger.ref)
            assert {one["name"] for one in said["criteria"]} == {"errors", "stock", "diversity", "latency", "choices"}
        assert bought < 5000
    if standing(server).champion == challenger.ref:  # but for the false alarms that the rule allows
        assert "no alarm on " in standing(server).reason
        assert server.metrics()["drivetrain_lists_mixed_total", SERVICE] >= RULE.rows


def test_a_challenger_without_a_list_costs_nobody_theirs_and_goes(shop: Shop) -> None:
    server = shop.server
    shop.try_out(model(catalogue=tuple(replace(one, in_stock=False) for one in CATALOGUE)))
    for number in range(60):
        assert len(items(ask(server, number))) >= 3
    until(lambda: standing(server).challenger is None)
    assert "errors: " in standing(server).reason


def test_a_shadow_finds_its_own_items_and_has_no_score_for_the_others(shop: Shop) -> None:
    server = shop.server
    shop.try_out(model(catalogue=tuple(replace(one, in_stock=one.item != "soap") for one in CATALOGUE)), unheard=True)
    before = server.metrics()
    found = ask(server, 1)
    many = len(items(found))

    def more(event: str) -> float:
        name = f"drivetrain_shadow_{event}_total", SERVICE
        return server.metrics()[name] - before[name]

    until(lambda: more("rows") == many - 1)
    assert more("failed") == 1
    pairs = {row["prediction_id"]: row for row in lake(server.home, "pairs")}
    for one in found["recommendations"]:
        assert math.isnan(pairs[one["id"]]["score"]) == (one["item"] == "soap")
