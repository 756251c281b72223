"""A rollout by the real command line on a real server, while a client keeps asking: nobody gets an error."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from drivetrain.client import Client
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.serving import Server
from drivetrain.testing.graphs import as_json, draw, flipped, logistic_model
from drivetrain.testing.releases import ReleaseMaker

FILE = """\
project: loans
sources: {loans: {kind: files, path: data/*.csv}}
features: {spine: spine.sql, entity: case, label: default, tables: {loan: {sql: loan.sql}}}
service: {port: 0}
"""
ROWS = as_json(draw(4))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "drivetrain.yaml").write_text(FILE)
    return tmp_path


@contextmanager
def asking(url, key):
    """A caller who asks again and again; gives the list of the releases that answered, in order."""
    answered, over = [], threading.Event()

    def ask():
        with Client(url, key) as client:
            while not over.is_set():
                answered.append(str(client.predict(ROWS).release))

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        yield answered
    finally:
        over.set()
        caller.join()


def drivetrain(home, *words):
    """What the command says to a machine; a process of its own."""
    command = [sys.executable, "-m", "drivetrain", *words, "--json"]
    environment = {**os.environ, "DRIVETRAIN_KEYS": str(home / "keys")}
    run = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def test_a_release_takes_over_and_is_rolled_back_while_a_client_keeps_asking(home):
    maker = ReleaseMaker(home)
    first, second = maker.release(logistic_model()), maker.release(flipped())
    maker.deploy(first)
    project = Project(home, Settings(keys=home / "keys"))
    ready = project.catalog.state / "run" / "loans.json"
    with (
        project.catalog,
        Server(project.server_command(), ready) as server,
        asking(server.url, maker.key("shop")) as who,
    ):
        taken = drivetrain(home, "deploy", str(second.ref), "--reason", "new target")
        at_deploy = len(who)
        back = drivetrain(home, "rollback", "--reason", "complaints")
        at_rollback = len(who)
        with Client(server.url, maker.key("desk")) as client:
            assert str(client.predict(ROWS).release) == str(first.ref)
        history = drivetrain(home, "deployments")
    assert (taken["uptake"]["state"], back["uptake"]["state"]) == ("live", "live")
    assert back["uptake"]["seconds"] < 1
    assert [(each["version"], each["actor"], each["reason"]) for each in history] == [
        (1, "ada", ""), (2, "ada", "new target"), (3, "ada", "complaints")
    ]  # fmt: skip
    assert set(who) == {str(first.ref), str(second.ref)}
    # The one request that was on its way when a command ended may still be the release's before.
    assert set(who[at_rollback + 1 :]) <= {str(first.ref)}
    assert str(second.ref) in who[: at_rollback + 1]
    assert at_deploy < at_rollback, "it kept asking"
