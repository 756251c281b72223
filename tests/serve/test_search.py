"""``POST /v1/search``, over HTTP: passages with scores and citations, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivetrain.core.passages import Citation, Passage
from drivetrain.ops.bm25 import index_passages
from drivetrain.ops.knowledge import Knowledge, View
from drivetrain.store.models import ModelContent
from drivetrain.testing.graphs import classes_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, running, settings_of

FAQ = (
    Passage("permit", "What does a building permit cost?", "The fee follows the tariff.", "PBL 9", "https://x.example"),
    Passage("roof", "When is a roof replaced?", "Tiles last fifty years.", language="en"),
)


def knowing(content: ModelContent) -> ModelContent:
    """The same model, with two passages to search."""
    views = {"question": View(index_passages([one.question for one in FAQ]))}
    return replace(content, knowledge=Knowledge(FAQ, Citation(0.3, 3), views).files())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home: Path = tmp_path_factory.mktemp("desk")
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(knowing(classes_model())))
    with running(settings_of(home)) as server:
        yield server


def test_passages_are_found_scored_and_cited(desk: Running) -> None:
    answer = desk.client.post("/v1/search", json={"query": "cost of a permit?"})
    assert answer.status_code == 200
    (found,) = answer.json()["passages"]
    assert {name: found[name] for name in ("id", "title", "url", "cited")} == {
        "id": "permit", "title": "PBL 9", "url": "https://x.example", "cited": True,
    }  # fmt: skip
    assert answer.json()["release"] == answer.headers["x-drivetrain-release"]
    assert desk.client.post("/v1/search", json={"query": "zebra"}).json()["passages"] == []
    found = desk.client.post("/v1/search", json={"query": "a roof and a permit, neighbours and gardens", "k": 1}).json()
    assert len(found["passages"]) == 1
    assert found["passages"][0]["cited"] is False


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"query": ""}, 400, "field_invalid"),
        ({"query": "x" * 2001}, 400, "field_invalid"),
        ({"query": 7}, 400, "field_type"),
        ({"query": "x", "k": 0}, 400, "field_range"),
        ({"query": "x", "kk": 1}, 400, "field_unknown"),
        ({}, 400, "field_missing"),
    ],
)
def test_what_is_no_question_is_refused(desk: Running, body: object, status: int, code: str) -> None:
    answer = desk.client.post("/v1/search", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_it_asks_for_a_key_and_stands_in_the_document(desk: Running) -> None:
    assert desk.anyone.post("/v1/search", json={"query": "x"}).status_code == 401
    assert "/v1/search" in desk.anyone.get("/openapi.json").json()["paths"]
