"""A challenger on trial: its share, its judge, and what becomes of it."""

from __future__ import annotations

from typing import Any

import httpx

from drivetrain.core.artifacts import Deployment
from drivetrain.core.rollout import CanaryRule
from drivetrain.store.catalog import Catalog
from drivetrain.testing.graphs import (
    CLASS_WEIGHTS,
    CLASSES,
    again,
    as_json,
    classes_model,
    draw,
    expected_classes,
    without_scores,
)
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, Start, Template, lake, until

PEOPLE = as_json(draw(400, seed=5))


def ask(server: Running, number: int) -> dict[str, Any]:
    """What is said of one of the people, who always comes under the same name."""
    answer = server.predict({**PEOPLE[number % len(PEOPLE)], "case": f"c-{number}"})
    assert answer.status_code == 200
    return dict(answer.json())


def standing(server: Running) -> Deployment:
    with Catalog(server.home) as catalog:
        found = catalog.latest(Deployment, SERVICE)
    assert found is not None
    return found


def test_a_flipped_challenger_goes_within_500_of_its_requests_and_an_equal_one_is_promoted(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start(canary=CanaryRule(rows=300))
    maker.deploy(template.good, template.flipped, 0.4)
    server.deployed(2)
    met: dict[int, str] = {}
    for number in range(2000):
        met[number] = ask(server, number)["release"]
        if server.client.get("/v1/deployment").json()["challenger"] == "":
            break
    met_challenger = [release for release in met.values() if release == str(template.flipped.ref)]
    assert 0 < len(met_challenger) < 500
    assert all(ask(server, number)["release"] == str(template.good.ref) for number in range(50))
    server.deployed(3)
    judged = standing(server)
    assert (judged.version, judged.actor, judged.champion, judged.challenger) == (
        3, "canary", template.good.ref, None
    )  # fmt: skip
    assert judged.reason.startswith("rolled back by the live judge after ")
    assert any(word in judged.reason for word in ("decision", "flipped", "score", "segment"))

    maker.deploy(template.good, template.same, 0.5)
    server.deployed(4)
    releases = {number: ask(server, number)["release"] for number in range(100)}
    share = sum(release == str(template.same.ref) for release in releases.values())
    assert 25 < share < 75
    assert {number: ask(server, number)["release"] for number in range(100)} == releases, "stable by entity"
    number = 100
    while standing(server).version == 4:
        ask(server, number := number + 1)
        assert number < 50_000
    server.deployed(5)
    promoted = standing(server)
    assert (promoted.actor, promoted.champion, promoted.challenger) == ("canary", template.same.ref, None)
    assert promoted.reason.startswith("promoted by the live judge: no alarm on ")
    assert all(ask(server, number)["release"] == str(template.same.ref) for number in range(20))

    pairs = [row for row in lake(server.home, "pairs") if row["release"] == str(template.flipped.ref)]
    assert len(pairs) == len(met_challenger)
    assert all(abs(row["score"] + row["champion_score"] - 1) < 1e-9 for row in pairs)
    assert {row["champion"] for row in pairs} == {str(template.good.ref)}


def test_what_the_challenger_has_no_score_for_the_champion_answers(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start(canary=CanaryRule(max_errors=0.99, rows=10**6))
    maker.deploy(template.good, maker.release(without_scores(5000.0)), 1.0)
    server.deployed(2)
    for number, income in ((1, 100.0), (2, 5500.0), (3, 200.0), (4, 1e5)):
        answer = server.predict({"age": 40, "income-per-month": income, "case": f"c-{number}"}).json()
        assert (answer["release"] == str(template.good.ref)) == (income >= 5000)
    assert len(lake(server.home, "predictions")) == 4
    until(lambda: server.metrics()["drivetrain_trial_rows_total", SERVICE] == 2)


def test_a_challenger_that_is_wrong_more_often_goes_once_that_is_known(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    """Its decisions may be as they are; what comes back of the cases, through any worker, says it all."""
    free = {"max_flipped": 1.0, "max_segment_flipped": 1.0, "max_rate_change": 1.0, "max_score_shift": 1.0}
    server = start(workers=2, canary=CanaryRule(labels=10**6, max_slower=100.0, **free))
    maker.deploy(template.good, template.flipped, 1.0)
    server.deployed(2)
    labelled = 0
    while standing(server).version == 2:
        rows = PEOPLE[labelled % 400 :][:20]
        with httpx.Client(
            base_url=server.url, headers=server.client.headers, verify=False
        ) as client:  # whichever worker it meets
            found = client.post("/v1/predict", json={"rows": rows}).json()["predictions"]
        with httpx.Client(base_url=server.url, headers=server.client.headers, verify=False) as client:
            truth = [{"prediction_id": one["id"], "label": not one["decision"]} for one in found]
            assert client.post("/v1/labels", json={"labels": truth}).status_code == 200
        labelled += len(truth)
        assert labelled < 20_000
    assert "rolled back by the live judge" in standing(server).reason
    assert "performance: the Brier score is" in standing(server).reason


def test_a_challenger_that_says_the_wrong_class_goes_once_that_is_known(start: Start, maker: ReleaseMaker) -> None:
    """What it answers has the class of its own; the judge counts who was right."""
    free = {"max_flipped": 1.0, "max_segment_flipped": 1.0, "max_rate_change": 1.0, "max_score_shift": 1.0}
    good, bad = maker.release(classes_model()), maker.release(classes_model(CLASS_WEIGHTS[::-1]))
    maker.deploy(good, bad, 1.0, shadows=[maker.release(again(classes_model()))])
    server = start(canary=CanaryRule(labels=10**6, max_slower=100.0, **free))
    rows, labelled = draw(400, seed=5), 0
    while standing(server).version == 2:
        at = labelled % 400
        answer = server.predict(*as_json(rows[at : at + 20])).json()
        truth = [CLASSES[int(expected_classes(row).argmax())] for row in rows[at : at + 20]]
        if answer["release"] == str(bad.ref):
            wrong = [CLASSES[int(expected_classes(row, CLASS_WEIGHTS[::-1]).argmax())] for row in rows[at : at + 20]]
            assert [found["class"] for found in answer["predictions"]] == wrong
        names = [one["id"] for one in answer["predictions"]]
        told = [{"prediction_id": name, "label": label} for name, label in zip(names, truth, strict=True)]
        assert server.client.post("/v1/labels", json={"labels": told}).status_code == 200
        labelled += 20
        assert labelled < 20_000
    assert "performance" in standing(server).reason
    until(lambda: server.metrics()["drivetrain_shadow_rows_total", SERVICE] > 0)
    said = {row["prediction_id"]: row for row in lake(server.home, "predictions")}
    pairs = [row for row in lake(server.home, "pairs") if row["release"] == str(bad.ref)]
    assert pairs
    assert all(said[row["prediction_id"]]["score"] == row["score"] for row in pairs)
