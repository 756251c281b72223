"""One worker from inside and outside: what it finishes when it is told to end, and what it never imports."""

from __future__ import annotations

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.connect.http.conftest import Peer, get, post

from drivetrain.access.api_keys import create_key, revoke_key
from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.graphs import ROW
from drivetrain.testing.releases import ReleaseMaker

from .conftest import OTHER, SERVICE, Running, Start, Template, lake, until

UNWANTED = (
    "sklearn", "scipy", "pandas", "sqlalchemy", "duckdb", "xgboost", "optuna", "mlflow", "pyarrow", "deltalake",
)  # fmt: skip


def lines(server: Running) -> tuple[str, str]:
    return f"Authorization: Bearer {server.key}", "Content-Type: application/json"


def test_the_end_finishes_what_was_accepted_and_refuses_the_rest(start: Start) -> None:
    server = start()

    def ask() -> httpx.Response:
        body, headers = {"rows": [{"age": 40}] * 10_000}, server.client.headers
        return httpx.post(f"{server.url}/v1/predict", json=body, headers=headers, timeout=30)

    with Peer(server.address) as idle, ThreadPoolExecutor(4) as pool:
        idle.send(get("/health")).reply()
        asking = [pool.submit(ask) for _ in range(4)]
        while server.metrics()["drivetrain_waiting_rows", SERVICE] == 0:
            assert not all(one.done() for one in asking), "all were answered before one could be seen waiting"
        assert server.stop() == 0
        assert idle.closed()
    answers = [one.result() for one in asking if one.exception() is None]
    accepted = sum(len(answer.json()["predictions"]) for answer in answers if answer.status_code == 200)
    assert accepted >= 10_000
    assert len(lake(server.home, "predictions")) == accepted
    with pytest.raises(httpx.ConnectError):
        server.client.get("/health")


def test_a_body_that_is_on_its_way_is_waited_for_but_not_for_ever(start: Start) -> None:
    server = start(drain_seconds=1.0, body_seconds=30)
    body = json.dumps({"rows": [ROW]}).encode()
    with Peer(server.address) as sending, Peer(server.address) as stuck:
        whole = post("/v1/predict", body, *lines(server))
        for peer in (sending, stuck):
            peer.send(whole[:-5])
        assert server.predict(ROW).status_code == 200  # they have arrived by now
        server.family()
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not _listens(server))
        reply = sending.send(whole[-5:]).reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert server.process.wait(10) == 0
        assert stuck.closed()
    assert len(lake(server.home, "predictions")) == 2


def _listens(server: Running) -> bool:
    try:
        socket.create_connection(server.address, 1).close()
    except OSError:
        return False
    return True


def test_however_durable_what_was_answered_is_there_after_the_end(home: Path, start: Start, template: Template) -> None:
    ReleaseMaker(home, OTHER, SERVICE).deploy(template.good)
    buffered = ServiceSettings(home, OTHER, durability="buffered", roll_seconds=1000)
    server = start(durability="power", others=(buffered,), roll_seconds=1000)
    assert server.predict(ROW, ROW).status_code == 200
    for _ in range(3):
        assert server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [ROW]}).status_code == 200
    label = {"labels": [{"prediction_id": "p", "label": True}]}
    assert server.client.post(f"/services/{OTHER}/v1/labels", json=label).status_code == 200
    until(lambda: len(lake(home, "predictions", OTHER)) == 3, every=0.1)  # the buffer is written out every second
    assert server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [ROW]}).status_code == 200
    assert server.stop() == 0
    assert len(lake(home, "predictions")) == 2
    assert len(lake(home, "predictions", OTHER)) == 4
    assert len(lake(home, "labels", OTHER)) == 1


def test_no_training_or_table_library_and_no_secret_comes_near_the_answers(start: Start) -> None:
    server = start(roll_seconds=1000)
    server.predict({"age": "x"})
    assert server.anyone.post("/v1/predict", headers={"X-API-Key": server.key[:-1]}).status_code == 401
    assert server.predict(ROW, explain=True).status_code == 200
    label = {"labels": [{"prediction_id": "p", "label": True}]}
    assert server.client.post("/v1/labels", json=label).status_code == 200
    for path in ("/metrics", "/docs", "/openapi.json", "/v2", "/v2/models/loans", "/v1/deployment", "/health"):
        assert server.client.get(path).status_code == 200
    for pid in (server.process.pid, *server.workers()):
        loaded = Path(f"/proc/{pid}/maps").read_text()
        assert [name for name in UNWANTED if f"/site-packages/{name}" in loaded] == []
    assert "/site-packages/onnxruntime" in Path(f"/proc/{server.workers()[0]}/maps").read_text()
    assert server.stop() == 0
    secret = server.key[:-1].encode()
    assert [path for path in server.home.rglob("*") if path.is_file() and secret in path.read_bytes()] == []


def test_keys_come_and_go_without_a_restart(server: Running) -> None:
    state = server.home / ".drivetrain"
    headers = {"X-API-Key": create_key(state, "late")}
    body = {"rows": [ROW]}
    assert server.anyone.post("/v1/predict", json=body, headers=headers).status_code == 200
    revoke_key(state, "late")
    until(lambda: server.anyone.post("/v1/predict", json=body, headers=headers).status_code == 401)
