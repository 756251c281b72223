"""The prediction server as a process: ready or told why not, stopped on leaving."""

import sys

import pytest

from drivetrain.core.errors import Transient
from drivetrain.core.project import ServiceSpec
from drivetrain.engine.serving import Server, server_command

STAND_IN = """
import json, os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
signal.pause()
"""


def test_command_line_carries_the_limits():
    command = server_command("home", "risk", ServiceSpec(requests_per_second=5), host=None, port=0)
    assert command[1:3] == ["-m", "drivetrain.serve"]
    assert command[command.index("--port") + 1] == "0"
    assert command[command.index("--requests-per-second") + 1] == "5.0"


def test_server_is_ready_on_entering_and_gone_on_leaving(tmp_path):
    ready = tmp_path / "ready.json"
    with Server([sys.executable, "-c", STAND_IN, str(ready)], ready) as server:
        assert server.url == "http://127.0.0.1:1"
        process = server._process
        assert process.poll() is None
    assert process.poll() is not None


def test_server_that_ends_at_once_is_told(tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_text('{"pid": 1, "url": "http://of-another-process"}')
    with pytest.raises(Transient, match="did not become ready"), Server([sys.executable, "-c", ""], ready):
        pass
