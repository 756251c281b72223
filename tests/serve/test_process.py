"""The server as a process: how it starts, ends, survives, and what it refuses to serve."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from drivetrain.access.api_keys import create_key, revoke_key
from drivetrain.core.artifacts import Deployment
from drivetrain.serve.__main__ import main
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.tables import Table

from .conftest import ROW, SERVICE, Running

UNWANTED = ("sklearn", "scipy", "pandas", "sqlalchemy", "duckdb", "xgboost", "optuna", "mlflow", "pyarrow", "deltalake")


def lake(home: Path, kind: str) -> list[dict[str, object]]:
    """The rows of a service's table, after what is left in the journal has moved there."""
    with Catalog(home) as catalog:
        roll(catalog, SERVICE)
        table = Table(catalog.table_path(kind, SERVICE))
        return table.read().to_pylist() if table.exists() else []


@pytest.fixture
def refused(home: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a server says that cannot start; its exit code must be 1."""

    def attempt(*options: str) -> str:
        assert main(["--home", str(home), "--service", SERVICE, *options]) == 1
        return capfd.readouterr().err

    return attempt


def ended(pid: int) -> bool:
    """Wait until a process that is not ours has ended; false after a while."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(handle) as file:
        return bool(select.select([file], [], [], 30)[0])


def children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_says_where_it_answers_and_cleans_up(start: Callable[..., Running]) -> None:
    server = start()
    ready = server.home / ".drivetrain" / "run" / f"{SERVICE}.json"
    said = json.loads(ready.read_bytes())
    assert (said["pid"], said["url"]) == (server.process.pid, server.url)
    assert said["release"].startswith("release/loans@")
    assert server.predict(ROW).status_code == 200
    assert server.stop() == 0
    assert not ready.exists()
    assert server.log.read_text() == ""
    assert len(lake(server.home, "predictions")) == 1


def test_after_a_sigterm_the_recorder_has_moved_everything_and_no_secret_was_written(
    start: Callable[..., Running],
) -> None:
    server = start("--roll-seconds", "1000")
    key = server.client.headers["authorization"].removeprefix("Bearer ")
    server.predict({"age": "x"})
    assert httpx.post(f"{server.url}/v1/predict", headers={"X-API-Key": key[:-1]}).status_code == 401
    server.predict(*[ROW] * 5)
    (recorder,) = children(server.process.pid)
    assert server.stop() == 0
    assert ended(recorder)
    with Catalog(server.home) as catalog:
        assert list(catalog.journal_path(SERVICE).glob("predictions-*")) == []
        assert len(Table(catalog.table_path("predictions", SERVICE)).read()) == 5
    written = [path for path in server.home.rglob("*") if path.is_file() and key[:-1].encode() in path.read_bytes()]
    assert written == []


def test_sigterm_finishes_what_was_accepted(start: Callable[..., Running]) -> None:
    server = start()

    def ask() -> httpx.Response:
        body, headers = {"rows": [{"age": 40}] * 10_000}, server.client.headers
        return httpx.post(f"{server.url}/v1/predict", json=body, headers=headers, timeout=30)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        while b"drivetrain_waiting_rows 0.0" in server.client.get("/metrics").content:
            assert not all(one.done() for one in asking), "all were answered before one could be seen waiting"
        assert server.stop() == 0
    answers = [one.result() for one in asking if one.exception() is None]
    accepted = sum(len(answer.json()["predictions"]) for answer in answers if answer.status_code == 200)
    assert accepted >= 10_000
    assert len(lake(server.home, "predictions")) == accepted


def test_a_caller_who_never_finishes_does_not_hold_up_the_end(start: Callable[..., Running]) -> None:
    server = start("--drain-seconds", "0.2")
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port or 0)) as connection:
        key = server.client.headers["authorization"]
        head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 100\r\n\r\n{{"
        connection.sendall(head.encode())
        assert server.predict(ROW).status_code == 200
        assert server.stop() == 0
    assert len(lake(server.home, "predictions")) == 1


def test_what_was_acknowledged_survives_a_kill_exactly_once(start: Callable[..., Running]) -> None:
    """Two lives of a server and its recorder, each ended by SIGKILL in the middle of requests."""
    predicted: list[str] = []
    labelled: list[str] = []

    def ask(server: Running) -> None:
        with httpx.Client(base_url=server.url, headers=server.client.headers) as client:
            while True:
                try:
                    answer = client.post("/v1/predict", json={"rows": [{**ROW, "case": "c"}] * 3}).json()
                    ids = [prediction["id"] for prediction in answer["predictions"]]
                    predicted.extend(ids)
                    labels = [{"prediction_id": name, "label": True} for name in ids]
                    if client.post("/v1/labels", json={"labels": labels}).status_code == 200:
                        labelled.extend(ids)
                except httpx.TransportError:
                    return

    for life in (1, 2):
        server = start("--roll-seconds", "0.05")
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, server) for _ in range(4)]
            while len(labelled) < 300 * life:
                assert not any(one.done() for one in asking)
            (recorder,) = children(server.process.pid)
            os.kill(recorder, signal.SIGKILL)
            server.process.kill()
        assert ended(recorder)
    in_lake = Counter(str(row["prediction_id"]) for row in lake(server.home, "predictions"))
    assert set(in_lake.values()) == {1}
    assert set(predicted) <= set(in_lake)
    assert len(in_lake) - len(set(predicted)) <= 2 * 4 * 3  # answers that were under way at each kill
    told = Counter(str(row["prediction_id"]) for row in lake(server.home, "labels"))
    assert set(told.values()) == {1}
    assert set(labelled) <= set(told)


def test_the_recorder_ends_with_its_server_and_has_moved_everything(start: Callable[..., Running]) -> None:
    server = start("--roll-seconds", "1000")
    server.predict(*[ROW] * 7)
    (recorder,) = children(server.process.pid)
    server.process.kill()
    assert ended(recorder)
    with Catalog(server.home) as catalog:
        assert len(Table(catalog.table_path("predictions", SERVICE)).read()) == 7


def test_a_recorder_that_was_killed_is_started_again(start: Callable[..., Running]) -> None:
    server = start("--roll-seconds", "0.05")
    (recorder,) = children(server.process.pid)
    os.kill(recorder, signal.SIGKILL)
    while b"drivetrain_recorder_starts 2.0" not in server.client.get("/metrics").content:
        assert server.process.poll() is None
    server.predict(ROW)
    while b"drivetrain_journal_waiting_bytes 0.0" not in server.client.get("/metrics").content:
        assert server.process.poll() is None


def test_predictions_stand_in_the_lake_as_they_were_made(start: Callable[..., Running]) -> None:
    server = start()
    answer = server.predict({**ROW, "case": "c-7"}).json()
    (row,) = lake(server.home, "predictions")
    (prediction,) = answer["predictions"]
    assert row["prediction_id"] == prediction["id"]
    assert (row["score"], row["decision"]) == (prediction["score"], prediction["decision"])
    assert (row["release"], row["entity"]) == (answer["release"], "c-7")
    inputs = row["inputs"]
    assert isinstance(inputs, dict)
    assert json.loads(json.dumps(inputs, default=lambda value: value.isoformat())) == {
        **ROW, "seen": "2026-01-31T12:00:00+00:00"
    }  # fmt: skip


def test_the_server_imports_no_training_or_table_library(home: Path) -> None:
    """Looked at from inside, after a first prediction, a label, an explanation, and every page."""
    with Catalog(home) as catalog:
        key = create_key(catalog.state, "shop")
    script = f"""
import asyncio, signal, sys, threading, os, json, http.client
from drivetrain.serve import process
from drivetrain.serve.__main__ import main
announce = process.ServerProcess._announced
def use(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = {{"X-API-Key": {key!r}, "Content-Type": "application/json"}}
    for method, path, body in [
        ("POST", "/v1/predict", {{"rows": [{ROW!r}], "explain": True}}),
        ("POST", "/v1/labels", {{"labels": [{{"prediction_id": "p", "label": True}}]}}),
        ("GET", "/metrics", None), ("GET", "/docs", None), ("GET", "/openapi.json", None), ("GET", "/v2", None),
    ]:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, (path, response.status)
    found = sorted(set(sys.modules) & set({UNWANTED!r}))
    print(json.dumps(found), file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)
def announced(self, url):
    threading.Thread(target=use, args=(url,)).start()
    return announce(self, url)
process.ServerProcess._announced = announced
sys.exit(main(["--home", {str(home)!r}, "--service", "{SERVICE}", "--port", "0"]))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stderr) == []


def test_keys_come_and_go_without_a_restart(start: Callable[..., Running]) -> None:
    server = start()
    state = server.home / ".drivetrain"
    headers = {"X-API-Key": create_key(state, "late")}
    body = {"rows": [ROW]}
    assert httpx.post(f"{server.url}/v1/predict", json=body, headers=headers).status_code == 200
    revoke_key(state, "late")
    while httpx.post(f"{server.url}/v1/predict", json=body, headers=headers).status_code == 200:
        assert server.process.poll() is None
    assert {row["caller"] for row in lake(server.home, "predictions")} == {"late"}


def test_a_port_that_is_taken_is_an_error_with_a_way_out(refused: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refused("--port", str(taken.getsockname()[1]))
    assert "[address_unusable]" in told
    assert "--port 0" in told


def test_a_second_server_does_not_share_the_port_unnoticed(server: Running, refused: Callable[..., str]) -> None:
    assert "[address_unusable]" in refused("--port", server.url.rpartition(":")[2])
    assert server.predict(ROW).status_code == 200


def test_an_address_of_another_machine_is_an_error(refused: Callable[..., str]) -> None:
    assert "[address_unusable]" in refused("--host", "192.0.2.1", "--port", "0")


def test_nothing_deployed_is_an_error_that_names_the_next_command(refused: Callable[..., str]) -> None:
    told = refused("--service", "mortgages", "--port", "0")
    assert "[service_unknown]" in told
    assert "drivetrain deploy" in told


@pytest.mark.parametrize("name", ["model/model.onnx", "manifest.json", "approval.dsse.json"])
def test_a_release_with_a_flipped_byte_is_not_served(home: Path, refused: Callable[..., str], name: str) -> None:
    with Catalog(home) as catalog:
        deployment = catalog.latest(Deployment, SERVICE)
        assert deployment is not None
        path = catalog.folder(deployment.shares[0].release) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert name in refused("--port", "0")


def test_a_release_that_is_not_approved_is_not_served(home: Path, refused: Callable[..., str]) -> None:
    with Catalog(home) as catalog:
        deployment = catalog.latest(Deployment, SERVICE)
        assert deployment is not None
        (catalog.folder(deployment.shares[0].release) / "approval.dsse.json").unlink()
    assert "[release_not_approved]" in refused("--port", "0")


@pytest.mark.parametrize(
    "options", [["--port", "x"], ["--port", "70000"], ["--requests-per-second", "nan"], ["--max-rows", "0"], ["--what"]]
)
def test_a_wrong_command_line_is_told(home: Path, capfd: pytest.CaptureFixture[str], options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(home), "--service", SERVICE, *options])
    assert ended.value.code == 2
    assert options[0] in capfd.readouterr().err
