"""The server as processes: how it starts and ends, and what becomes of it when some of them die or hang."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from drivetrain.serve.__main__ import main
from drivetrain.serve.settings import ServiceSettings, to_json
from drivetrain.testing.graphs import ROW, slow
from drivetrain.testing.releases import ReleaseMaker

from .conftest import OTHER, SERVICE, Running, Start, Template, ended, lake, running, settings_of, spoil, until
from .crowd import Crowd, connected

NEVER_ENDS = 2**62
RICH = {"age": 40, "income-per-month": 9e7}
"""A caller on whom the hanging model hangs; no golden row is like that."""


@pytest.fixture
def refused(home: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a server says that cannot start; its exit code must be 1."""

    def attempt(**changed: object) -> str:
        assert main([to_json(settings_of(home, **changed))]) == 1
        assert not (home / ".drivetrain" / "run" / f"{SERVICE}.json").exists()
        return capfd.readouterr().err

    return attempt


# --- its beginning and its end ---------------------------------------------------------------------------------


def test_it_says_where_it_answers_and_cleans_up(start: Start, template: Template) -> None:
    server = start()
    ready = server.home / ".drivetrain" / "run" / f"{SERVICE}.json"
    said = server.said()
    assert (said["pid"], said["url"]) == (server.process.pid, server.url)
    assert (said["release"], said["deployment"], said["state"]) == (str(template.good.ref), 1, "ready")
    assert server.predict(ROW).status_code == 200
    assert server.stop() == 0
    assert not ready.exists()
    assert server.log.read_text() == ""
    assert len(lake(server.home, "predictions")) == 1
    assert not connected(server)


def test_ctrl_c_ends_it_as_a_signal_does(start: Start) -> None:
    server = start()
    server.family()
    os.kill(server.process.pid, signal.SIGINT)
    assert server.process.wait(20) == 0


def test_nothing_deployed_is_an_error_that_names_the_next_command(refused: Callable[..., str]) -> None:
    told = refused(name="mortgages")
    assert "[service_unknown]" in told
    assert "drivetrain deploy" in told


def test_a_release_that_was_changed_is_not_served(home: Path, template: Template, refused: Callable[..., str]) -> None:
    spoil(home, template.good, "model/model.onnx")
    assert "model/model.onnx" in refused(workers=2)


@pytest.mark.parametrize("arguments", [[], ["{"], ["{}"], ['{"services": []}', "x"], ['{"services": [{"home": 7}]}']])
def test_settings_that_are_none_are_told(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert "[server_settings_invalid]" in capfd.readouterr().err


# --- who dies --------------------------------------------------------------------------------------------------


def test_whoever_is_killed_nothing_acknowledged_is_lost_or_doubled(home: Path) -> None:
    """Workers, recorder and supervisor, each killed under load; what callers were told is in the lake exactly once."""
    with running(settings_of(home, workers=2, roll_seconds=0.05)) as server:
        with Crowd(server, 8, patient=True) as crowd:
            until(lambda: len(crowd.told) > 100)
            for _ in range(2):
                victim = server.workers()[0]
                os.kill(victim, signal.SIGKILL)
                until(lambda victim=victim: victim not in server.workers() and len(server.workers()) == 2)
            os.kill(recorder := server.recorder(), signal.SIGKILL)
            assert ended(recorder)
            until(lambda: server.recorder() != recorder)
            count = len(crowd.told)
            until(lambda: len(crowd.told) > count + 100)
            server.kill()
            until(lambda: not connected(server))
        refused = [told for told in crowd.failed if told.startswith(("4", "5"))]
        assert refused == []
        server.finish()
    with running(settings_of(home, port=server.address[1])) as again:
        assert again.predict(ROW).status_code == 200
    found = Counter(row["prediction_id"] for row in lake(home, "predictions"))
    assert set(found.values()) == {1}
    assert {told.prediction for told in crowd.told} <= set(found)
    assert len(found) - len(crowd.told) <= 1 + 8 * 4  # answers that were under way when somebody died


def test_a_worker_that_dies_costs_nobody_else_an_answer(start: Start) -> None:
    server = start(workers=2)
    with Crowd(server, 12) as crowd:
        until(lambda: len(crowd.told) > 100)
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in server.workers() and len(server.workers()) == 2)
    assert all("ConnectionReset" in failed or "AssertionError" in failed for failed in crowd.failed), crowd.failed
    assert len(crowd.failed) < 12, "the other worker's callers went on"
    assert re.search(rf"\(process {victim}\) died, exit code -9.*; starting another", server.log.read_text())
    with Crowd(server, 4) as crowd:
        until(lambda: len(crowd.told) > 100)
    assert crowd.failed == []


# --- who brings workers down -----------------------------------------------------------------------------------


def hang(server: Running) -> None:
    """Ask the cards what makes their model hang, and wait until its worker was replaced."""
    before = server.workers()
    with pytest.raises(Exception, match=r"disconnect|reset|closed"):
        server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [RICH]}, timeout=20)
    until(lambda: server.workers() != before)


def test_a_machine_that_stood_still_costs_no_worker(start: Start) -> None:
    """As when its host keeps it from running: the supervisor may wake first, and must not take that for a hang."""
    server = start(hang_seconds=0.6)
    assert server.predict(ROW).status_code == 200
    before = server.workers()
    for pid in (*before, server.process.pid):
        os.kill(pid, signal.SIGSTOP)
    over = time.monotonic() + 1.0
    until(lambda: time.monotonic() > over)
    os.kill(server.process.pid, signal.SIGCONT)
    awake = time.monotonic() + 0.2
    until(lambda: time.monotonic() > awake)
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    assert server.predict(ROW).status_code == 200
    judged = time.monotonic() + 0.5
    until(lambda: time.monotonic() > judged)
    assert "fell silent" not in server.log.read_text()
    assert server.workers() == before


def test_a_model_that_hangs_again_and_again_is_quarantined_and_the_others_go_on(
    home: Path, start: Start, template: Template
) -> None:
    cards = ReleaseMaker(home, OTHER, SERVICE)
    hanging = cards.release(slow(NEVER_ENDS, above=1e7))
    cards.deploy(hanging)
    server = start(others=(ServiceSettings(home, OTHER),), hang_seconds=0.4)
    assert server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [ROW]}).status_code == 200
    for _ in range(2):
        hang(server)
        assert server.health(OTHER)["state"] == "ready"
        assert server.predict(ROW).status_code == 200
    hang(server)
    assert re.search(r"Current thread .*?\n.* in .*process \d+ is in state \w", server.log.read_text(), re.DOTALL)
    sick = server.health(OTHER)
    assert sick["state"] == "quarantined"
    until(lambda: server.said(OTHER)["state"] == "quarantined")
    assert str(hanging.ref) in sick["reason"]
    assert "3 workers fell silent while scoring with it" in sick["reason"]
    assert server.anyone.get("/v2/health").json()["status"] == "degraded"
    assert server.said(SERVICE)["state"] == "ready"
    assert server.predict(ROW).status_code == 200
    cards.deploy(template.same)
    server.deployed(2, OTHER)
    assert server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [RICH]}).status_code == 200
