"""A deployment is taken up whole, or not at all: then the one before goes on, and everybody can read why."""

from __future__ import annotations

import shutil

import msgspec
import numpy as np

from drivetrain.store.catalog import Catalog
from drivetrain.store.golden import Golden
from drivetrain.testing.graphs import ROW, draw, logistic_model, slow
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, Start, Template, lake, spoil, until
from .crowd import Crowd, mixed


def refused(server: Running, version: int, why: str) -> None:
    """Wait until a deployment is known not to be taken up, and see that the first one still stands."""
    until(lambda: f"@{version} is not taken up" in server.said()["reason"])
    said, health = server.said(), server.health()
    assert why in said["reason"]
    assert (said["state"], said["deployment"]) == ("ready", 1)
    assert (health["state"], health["deployment"], health["reason"]) == ("ready", 1, said["reason"])
    assert health["release"] == said["release"] == server.predict(ROW).json()["release"]


def test_a_deployment_that_cannot_be_taken_up_leaves_the_one_before_in_place(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    server = start()
    weak = [-0.04, -0.0005, -0.4, 0.3, 1e-10, 1e-10]
    tampered = maker.release(logistic_model(weak, no_score=1e8))
    spoil(server.home, tampered, "model/model.onnx")
    maker.deploy(tampered)
    refused(server, 2, "model.onnx")
    other = Golden(draw(16), np.full(16, 0.123))
    maker.deploy(maker.release(logistic_model(weak), golden=other))
    refused(server, 3, "golden")
    maker.deploy(maker.release(logistic_model(weak, no_score=1e7), approved=False))
    refused(server, 4, "approve")
    gone = maker.release(logistic_model(weak, no_score=1e6))
    with Catalog(server.home) as catalog:
        shutil.rmtree(catalog.folder(gone.ref))
    maker.deploy(gone)
    refused(server, 5, "no release here")
    maker.deploy(template.good, tampered, 0.5)
    refused(server, 6, "model.onnx")
    maker.deploy(template.flipped)
    server.deployed(7)
    assert server.health()["reason"] == server.said()["reason"] == ""
    assert server.predict(ROW).json()["release"] == str(template.flipped.ref)
    assert server.metrics()["drivetrain_switches_total", "loans"] == 1


def test_who_asks_beyond_what_can_be_answered_is_told_at_once_and_the_others_are_answered(
    start: Start, maker: ReleaseMaker
) -> None:
    maker.deploy(maker.release(slow(20_000)))  # about twenty milliseconds a turn
    server = start(max_waiting_requests=3)
    with Crowd(server, 16) as crowd:
        until(lambda: len(crowd.told) > 40 and len(crowd.failed) > 40)
        assert crowd.asks()
    assert mixed(crowd.told, "") == []
    assert {failed[:3] for failed in crowd.failed} == {"503"}
    assert {msgspec.json.decode(failed[4:])["error"]["code"] for failed in crowd.failed} == {"overloaded"}
    found = server.metrics()
    assert found["drivetrain_overloaded_total", SERVICE] >= len(crowd.failed)
    assert found["drivetrain_waiting_rows", SERVICE] == 0
    answer = server.predict(ROW)
    assert answer.status_code == 200, "as soon as the others have gone"


def test_who_cannot_wait_that_long_is_told_so(start: Start, maker: ReleaseMaker) -> None:
    maker.deploy(maker.release(slow(2_000)))  # about two milliseconds for 32 rows
    server = start(deadline_seconds=20)
    long = {"rows": [{"age": 40}] * 4000}
    late = server.client.post("/v1/predict", json=long, headers={"X-Deadline-Ms": "50"})
    assert (late.status_code, late.json()["error"]["code"]) == (503, "deadline_passed")
    assert int(late.headers["retry-after"]) >= 1
    assert server.client.post("/v1/predict", json=long).status_code == 200
    assert len(lake(server.home, "predictions")) == 4000, "nothing of what was not answered"
    assert server.metrics()["drivetrain_late_total", SERVICE] == 1
