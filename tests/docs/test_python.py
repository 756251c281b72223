"""The Python that docs/python.md shows runs, in order, as it stands; the project is smaller, the port another."""

import json
import re
import subprocess
import sys

import pytest
from tests.house.conftest import ROOT

from drivetrain.client import Client
from drivetrain.engine.serving import Server

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture
def calling(released):
    """The released project behind a running service: its address, and a key."""
    released.approve(released.release().ref, "read")
    released.deploy(released.release().ref)
    ready = released.catalog.state / "run" / f"{released.spec.service_name}.json"
    with Server(released.server_command(port=0), ready) as server:
        yield server.url, released.add_key("page"), released.home


def run(code, folder):
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_up_to_the_call_runs(released):
    before, _, _ = PAGE.partition("## Calling a service")
    said = run("\n".join(BLOCKS.findall(before)), released.home)
    assert released.key_names() == ("notebook",), said


def test_the_calls_run(calling):
    url, key, home = calling
    _, _, after = PAGE.partition("## Calling a service")
    (home / "loans.jsonl").write_text("".join(json.dumps({"age": age, "home": "own"}) + "\n" for age in range(20, 60)))
    code = "\n".join(BLOCKS.findall(after))
    assert code.count(ADDRESS) == 2
    said = run(f"key = {key!r}\n{code.replace(ADDRESS, url)}", home)
    assert len(said.splitlines()) == 2 + 40
    with Client(url, key) as client:
        assert client.ready()
