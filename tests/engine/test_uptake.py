"""A change of what serves is live when the server's ready file says so, and it is said when it does not come."""

import json
import os
import subprocess
import sys
import time

import pytest

from drivetrain.core.artifacts import Deployment, TrafficShare
from drivetrain.core.refs import Kind, Ref
from drivetrain.engine.uptake import await_uptake
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_file

RELEASE = Ref(Kind.RELEASE, "risk", "a" * 12)


def deployment(version):
    shares = (TrafficShare(RELEASE, 1.0),)
    return Deployment("risk", version, "local", shares, "axel", "2026-11-03T12:00:00.000000+00:00", (RELEASE,))


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as opened:
        yield opened


def announce(catalog, *, pid=None, version=1, state="ready", **more):
    said = {"pid": pid or os.getpid(), "url": "http://127.0.0.1:1", "release": str(RELEASE), "deployment": version}
    write_file(catalog.state / "run" / "risk.json", json.dumps({**said, "state": state, **more}).encode())


def test_no_server_is_said_at_once(catalog):
    found = await_uptake(deployment(2), catalog)
    assert found.state == "no_server"
    assert "drivetrain serve" in found.detail


def test_a_server_that_is_gone_is_no_server(catalog):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    announce(catalog, pid=gone.pid, version=2)
    assert await_uptake(deployment(2), catalog).state == "no_server"


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": 1}'])
def test_a_file_of_something_else_is_no_server(catalog, content):
    write_file(catalog.state / "run" / "risk.json", content)
    assert await_uptake(deployment(2), catalog).state == "no_server"


@pytest.mark.parametrize("version", [2, 3])
def test_this_deployment_or_a_later_one_is_live(catalog, version):
    announce(catalog, version=version)
    found = await_uptake(deployment(2), catalog)
    assert found.state == "live"
    assert found.detail == f"live at http://127.0.0.1:1 in {found.seconds:.1f} s"


def test_it_waits_for_a_server_that_is_about_to(catalog, monkeypatch):
    announce(catalog)
    paused = []

    def pause(seconds):
        paused.append(seconds)
        if len(paused) == 3:
            announce(catalog, version=2)

    monkeypatch.setattr(time, "sleep", pause)
    began = time.monotonic()
    found = await_uptake(deployment(2), catalog)
    assert found.state == "live"
    assert len(paused) == 3
    assert 0 < found.seconds <= time.monotonic() - began


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": 1}, "is ready and answers with deployment/risk@1"),
        ({"version": 1, "state": "quarantined", "reason": "the golden batch differs"}, "the golden batch differs"),
        ({"version": 2, "state": "quarantined"}, "is quarantined"),
    ],
)
def test_one_that_does_not_is_late_with_what_it_says(catalog, said, words):
    announce(catalog, **said)
    found = await_uptake(deployment(2), catalog, within_s=0.05)
    assert found.state == "late"
    assert words in found.detail
