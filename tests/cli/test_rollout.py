"""What a person sees of a rollout, and what a machine reads."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from unittest.mock import patch

import numpy as np
import pytest
from click.testing import CliRunner

from drivetrain.cli import output
from drivetrain.cli.exits import NOT_LIVE, OUT_OF_BOUNDS, USAGE
from drivetrain.cli.main import cli
from drivetrain.engine import uptake
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_file
from drivetrain.store.models import Scorer
from drivetrain.store.segments import PredictionLog
from drivetrain.testing.graphs import again, draw, flipped, logistic_model
from drivetrain.testing.releases import ReleaseMaker

FILE = """\
project: loans
sources: {loans: {kind: files, path: data/*.csv}}
features: {spine: spine.sql, entity: case, label: default, tables: {loan: {sql: loan.sql}}}
"""


class Desk:
    """A project with releases made by hand, and its command line."""

    def __init__(self, home):
        (home / "drivetrain.yaml").write_text(FILE)
        self.home = home
        self.maker = ReleaseMaker(home)
        self.good = self.maker.release(logistic_model())
        self.same = self.maker.release(again(logistic_model()))
        self.bad = self.maker.release(flipped())

    def run(self, *words, code=0):
        """What a command says; it ends with that exit code."""
        environment = {"DRIVETRAIN_KEYS": str(self.home / "keys")}
        with patch.object(output.out, "_width", 200):  # whatever COLUMNS said when it was made
            result = CliRunner().invoke(cli, [*map(str, words), "--project", str(self.home)], env=environment)
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *words, code=0):
        """What a command says to a machine."""
        return json.loads(self.run(*words, "--json", code=code))

    def record(self, count):
        """Journal what the good release answered."""
        rows = draw(count)
        with Catalog(self.home) as catalog:
            log = PredictionLog(catalog.journal_path("loans"), self.good.ref, logistic_model().signature)
        records = np.zeros(count, log.dtype)
        records["id"] = [b"p%05d" % number for number in range(count)]
        records["at"] = int(datetime.now(UTC).timestamp() * 1e6) + np.arange(count)
        records["score"] = Scorer(logistic_model().graph).score(rows)
        records["decision"] = records["score"] >= 0.5
        records["caller"] = log.caller("shop")
        records["row"] = rows
        log.append(records)
        log.close()

    def announce(self, version):
        """A server that answers with that deployment."""
        said = {"pid": os.getpid(), "url": "http://127.0.0.1:1", "release": "", "deployment": version, "state": "ready"}
        write_file(self.home / ".drivetrain" / "run" / "loans.json", json.dumps(said).encode())


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_a_rollout_by_hand(desk):
    said = desk.run("deploy", desk.good.ref, "--reason", "the first [one]")
    assert f"deployment/loans@1 local: {desk.good.ref} 100% (the first [one])" in said
    assert "no server runs here" in said
    desk.record(300)
    said = desk.run("replay", desk.same.ref)
    assert "300 recorded requests: 0.00% of the decisions flip" in said
    assert "within the bounds" in said
    assert f"shadow {desk.same.ref} 50%" in desk.run("deploy", desk.same.ref, "--shadow", "0.5")
    said = desk.run("deploy", desk.same.ref, "--canary", "0.1", "--reason", "no flips")
    assert f"{desk.good.ref} 90%, {desk.same.ref} 10% (no flips)" in said
    assert "300 recorded requests" in said
    assert f"deployment/loans@4 local: {desk.same.ref} 100%" in desk.run("promote")
    assert f"deployment/loans@5 local: {desk.good.ref} 100% (back to deployment/loans@" in desk.run("rollback")


def test_the_history_says_who_when_and_why(desk):
    desk.run("deploy", desk.good.ref)
    desk.run("deploy", desk.same.ref, "--canary", "0.1", "--reason", "new bureau data")
    said = desk.run("deployments")
    first, second = said.splitlines()[-2:]
    assert desk.good.ref.version in first
    assert f"{desk.same.ref.version} 10% canary" in second
    assert second.split()[0] == "2"
    assert "ada" in second
    assert second.endswith("new bureau data")
    history = desk.json("deployments")
    assert [each["version"] for each in history] == [1, 2]
    assert history[1]["canary"]["rows"] == 2000


def test_who_was_serving_at_a_time(desk):
    assert "drivetrain deploy" in desk.run("deployments")
    desk.run("deploy", desk.good.ref)
    first = desk.json("deployments")[0]
    desk.run("deploy", desk.same.ref)
    assert desk.json("deployments", "--at", first["at"])["version"] == 1
    assert desk.json("deployments", "--at", "2999-01-01")["version"] == 2
    assert "nothing served loans at 2026-01-31T10:00:00+00:00" in desk.run(
        "deployments", "--at", "2026-01-31T10:00", code=4
    )
    assert "is no time" in desk.run("deployments", "--at", "yesterday", code=USAGE)


def test_a_replay_out_of_bounds_has_its_exit_code(desk):
    desk.run("deploy", desk.good.ref)
    assert "nothing is recorded yet" in desk.run("replay", desk.bad.ref, "--check")
    desk.record(200)
    said = desk.run("replay", desk.bad.ref)
    assert "max_flipped" in said
    desk.run("replay", desk.bad.ref, "--check", code=OUT_OF_BOUNDS)
    desk.run("replay", desk.same.ref, "--check")
    report = desk.json("replay", desk.bad.ref, "--rows", 50, "--check", code=OUT_OF_BOUNDS)
    assert (report["recorded"], report["verdict"]) == (50, "fail")
    assert (desk.home / report["page"]).exists()


def test_a_canary_out_of_bounds_is_refused_and_overridden(desk):
    desk.run("deploy", desk.good.ref)
    desk.record(200)
    said = desk.json("deploy", desk.bad.ref, "--canary", "0.1", code=5)
    assert said["error"]["code"] == "replay_out_of_bounds"
    made = desk.json("deploy", desk.bad.ref, "--canary", "0.1", "--override", "yes is no now")
    assert made["reason"] == "override: yes is no now"
    assert made["replay"]["verdict"] == "fail"
    assert made["uptake"]["state"] == "no_server"


@pytest.mark.parametrize(
    "words",
    [("--shadow", "0.5", "--canary", "0.5"), ("--override", "x"), ("--canary", "0.1", "--target", "local")],
)
def test_options_that_do_not_go_together_are_a_usage_error(desk, words):
    desk.run("deploy", *words, code=USAGE)


def test_a_running_server_that_takes_it_up_is_waited_for(desk):
    desk.run("deploy", desk.good.ref)
    desk.announce(2)
    assert "live at http://127.0.0.1:1 in 0.0 s" in desk.run("deploy", desk.same.ref)


def test_a_running_server_that_does_not_is_an_exit_code(desk, monkeypatch):
    monkeypatch.setattr(uptake, "WITHIN_S", 0.05)
    desk.run("deploy", desk.good.ref)
    desk.announce(1)
    said = desk.json("deploy", desk.same.ref, code=NOT_LIVE)
    assert said["uptake"]["state"] == "late"
    assert "answers with deployment/loans@1" in said["uptake"]["detail"]


def test_a_rollback_waits_for_no_data_library(desk):
    """The command as a person runs it, in an interpreter of its own."""
    desk.run("deploy", desk.good.ref)
    desk.run("deploy", desk.same.ref)
    code = (
        "import sys\nfrom drivetrain.cli.main import cli\n"
        "cli(['rollback', '--json'], standalone_mode=False)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    environment = {**os.environ, "DRIVETRAIN_KEYS": str(desk.home / "keys")}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=desk.home, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout)["shares"][0]["release"] == str(desk.good.ref)
    imported = set(run.stderr.replace("'", "").strip("[]\n").split(", "))
    assert "sqlite3" in imported
    assert imported & {"numpy", "pyarrow", "deltalake", "duckdb", "onnxruntime", "pandas", "sklearn", "jinja2"} == set()
