"""The metrics page of a server with two services and two workers: whoever is asked, all have counted."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx

from drivetrain.testing.graphs import ROW

from .conftest import OTHER, SERVICE, Running, Template, until

PREDICT = "drivetrain_requests_total"


def ask(server: Running, path: str, times: int) -> None:
    """Each time over another connection, so that both workers are met."""
    headers = {**server.client.headers, "connection": "close"}

    def once(number: int) -> int:
        return server.client.post(path, json={"rows": [ROW, ROW]}, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, range(times))) == {200}


def answered(server: Running, service: str) -> float:
    return server.metrics().get((PREDICT, "/v1/predict", service, "200"), 0)


def test_counts_of_all_workers_add_up_and_outlive_them(pair: Running, template: Template) -> None:
    before = {name: answered(pair, name) for name in (SERVICE, OTHER)}
    rows = sum(value for key, value in pair.metrics().items() if key[0] == "drivetrain_predictions_total")
    ask(pair, "/v1/predict", 40)
    ask(pair, f"/services/{OTHER}/v1/predict", 24)
    wanted = {SERVICE: before[SERVICE] + 40, OTHER: before[OTHER] + 24}
    # Whichever worker answers: what one has counted in its last second, the other learns from its note.
    until(lambda: all({name: answered(pair, name) for name in wanted} == wanted for _ in range(12)))
    for _ in range(6):
        with httpx.Client(base_url=pair.url, headers=pair.client.headers) as fresh:
            assert f'drivetrain_ready{{service="{OTHER}"}} 1.0' in fresh.get("/metrics").text
    found = pair.metrics()
    assert sum(value for key, value in found.items() if key[0] == "drivetrain_predictions_total") == rows + 128
    assert found["drivetrain_predictions_total", "true", str(template.flipped.ref), OTHER] == 0
    assert found["drivetrain_workers", "(server)"] == 2
    assert found["drivetrain_connections", "(server)"] >= 1

    victim = pair.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in pair.workers() and len(pair.workers()) == 2)
    until(lambda: pair.metrics()["drivetrain_workers", "(server)"] == 2)
    assert {name: answered(pair, name) for name in wanted} == wanted
    ask(pair, "/v1/predict", 8)
    until(lambda: answered(pair, SERVICE) == wanted[SERVICE] + 8)


def test_what_is_refused_at_the_door_is_counted_too(pair: Running) -> None:
    keys = ((PREDICT, "/v1/predict", SERVICE, "401"), (PREDICT, "unknown", "(server)", "404"))

    def told() -> set[tuple[float, ...]]:
        """What is counted, as any worker says it."""
        return {tuple(found.get(key, 0) for key in keys) for found in (pair.metrics() for _ in range(12))}

    until(lambda: len(told()) == 1)
    ((refused, unknown),) = told()
    for _ in range(8):  # over connections of their own, so that both workers are met
        with httpx.Client(base_url=pair.url) as anyone:
            assert anyone.post("/v1/predict", json={}).status_code == 401
            assert anyone.get("/nowhere", headers=pair.client.headers).status_code == 404
    until(lambda: told() == {(refused + 8, unknown + 8)})


def test_drift_is_shown_by_column(pair: Running) -> None:
    assert pair.client.post("/v1/predict", json={"rows": [{"age": 40}] * 600}).status_code == 200
    until(lambda: pair.metrics()["drivetrain_missing", "city", SERVICE] > 0.5)
    assert pair.metrics()["drivetrain_psi", "city", SERVICE] > 0
    assert pair.metrics()["drivetrain_missing", "age", SERVICE] == 0
