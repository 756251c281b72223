"""Models that are Python code, when their server, their worker or they themselves come and go."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from drivetrain.testing.code_models import GOOD, HANGS, code_model
from drivetrain.testing.graphs import ROW

from .code_desk import CODE, SLOW, assert_good, at_age, beside, deploy, judge, offspring, wild
from .conftest import SERVICE, ended, lake, running, settings_of, until

# --- processes ------------------------------------------------------------------------------------------------------


def test_sigterm_answers_what_is_inside_the_code(home, start):
    deploy(home, wild(), SERVICE)
    server = start()
    (worker,) = server.workers()
    with ThreadPoolExecutor(4) as pool:
        asked: list[Future[httpx.Response]] = [pool.submit(server.predict, at_age(SLOW)) for _ in range(3)]
        until(lambda: server.metrics()[("drivetrain_waiting_rows", SERVICE)] == 3)
        inside = offspring(worker)
        assert server.stop() == 0
        assert [one.result().status_code for one in asked] == [200, 200, 200]
    assert len(inside) == 1
    assert all(ended(pid) for pid in inside)
    assert len(lake(home, "predictions")) == 3


def test_a_worker_that_is_killed_leaves_no_process_and_the_next_starts_its_own(home, start):
    deploy(home, wild(processes=2), SERVICE)
    server = start()
    (worker,) = server.workers()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.predict, at_age(HANGS))
        until(lambda: server.metrics()[("drivetrain_waiting_rows", SERVICE)] == 1)
        inside = offspring(worker)
        assert len(inside) == 2
        os.kill(worker, signal.SIGKILL)
        assert asked.exception() is None or isinstance(asked.exception(), httpx.TransportError)
    assert all(ended(pid) for pid in inside)
    until(lambda: server.workers() != [worker])
    assert_good(httpx.post(f"{server.url}/v1/predict", json={"rows": [ROW]}, headers={"X-API-Key": server.key}))
    (heir,) = server.workers()
    assert len(offspring(heir)) == 2


# --- starting -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_code_that_hangs_while_it_is_imported_holds_up_nobody_else(home, tmp_path):
    stuck = tmp_path / "stuck"
    deploy(home, code_model(f"import os, time\nwhile os.path.exists({str(stuck)!r}): time.sleep(0.05)\n" + GOOD))
    stuck.touch()
    with running(settings_of(home, (beside(home),), drain_seconds=0.5)) as server:
        assert server.predict(ROW).status_code == 200
        assert "still loading" in server.health(CODE)["reason"]
        stuck.unlink()
        until(lambda: judge(server, ROW).status_code == 200)
        assert server.health(CODE)["state"] == "ready"
