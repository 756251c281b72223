"""A shadow sees the traffic, is never heard, and takes no more than its share of the time."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from drivetrain.testing.graphs import as_json, classes_model, draw, slow
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Start, Template, lake, until

ROWS = as_json(draw(200, seed=3))


def test_a_shadow_is_recorded_and_compared_and_never_heard(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start(shadow_load=0.5)
    maker.deploy(template.good, shadows=[template.flipped])
    server.deployed(2)
    answers = [server.predict(*ROWS[at : at + 10]).json() for at in range(0, 200, 10)]
    assert {answer["release"] for answer in answers} == {str(template.good.ref)}
    told = {found["id"]: found for answer in answers for found in answer["predictions"]}
    until(lambda: server.metrics()["drivetrain_shadow_rows_total", SERVICE] == 200)
    assert server.metrics()["drivetrain_shadow_flipped_total", SERVICE] == 200
    assert server.metrics()["drivetrain_shadow_left_out_total", SERVICE] == 0
    assert server.stop() == 0
    pairs = lake(server.home, "pairs")
    assert {row["prediction_id"] for row in pairs} == set(told)
    for row in pairs:
        champion = told[row["prediction_id"]]
        assert (row["champion_score"], row["champion_decision"]) == (champion["score"], champion["decision"])
        assert row["score"] == pytest.approx(1 - champion["score"])
        assert (row["release"], row["champion"]) == (str(template.flipped.ref), str(template.good.ref))
    assert {row["release"] for row in lake(server.home, "predictions")} == {str(template.good.ref)}


def test_a_slow_shadow_is_left_behind_rather_than_waited_for(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start(shadow_load=0.05)
    maker.deploy(template.good, shadows=[maker.release(slow(10_000))])  # ten milliseconds a batch
    server.deployed(2)
    began = time.monotonic()
    for _ in range(40):
        assert server.predict(*ROWS).status_code == 200
    taken = time.monotonic() - began
    found = server.metrics()
    scored = found["drivetrain_shadow_rows_total", SERVICE]
    assert found["drivetrain_shadow_left_out_total", SERVICE] > 0
    assert scored < 8000 / 2
    assert scored <= (0.1 + 0.05 * (taken + 1)) / 0.01 * 200 + 200  # saved, earned, and one batch that was begun


def test_a_shadow_that_says_another_class_is_counted(start: Start, maker: ReleaseMaker) -> None:
    model = classes_model()
    renamed = replace(model, signature=replace(model.signature, classes=("loan", "card", "account")))
    maker.deploy(maker.release(model), shadows=[maker.release(renamed)])
    server = start(shadow_load=0.5)
    said = server.predict(*ROWS).json()["predictions"]
    until(lambda: server.metrics()["drivetrain_shadow_rows_total", SERVICE] == 200)
    swapped = sum(one["class"] != "account" for one in said)
    assert swapped
    assert server.metrics()["drivetrain_shadow_flipped_total", SERVICE] == swapped
