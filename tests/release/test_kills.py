"""SIGKILL before every single file operation of ``release`` and ``approve``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .conftest import World

SCRIPT = """
import os, shutil, signal, sys
from pathlib import Path
from drivetrain.access.actors import read_actors
from drivetrain.access.keys import load_signer
from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Model, Report
from drivetrain.core.lineage import Code
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.store.catalog import Catalog

home, keys, digest = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
actors = read_actors(home / "actors.yaml")
project = ProjectState("risk", {"drivetrain.yaml": b"project: risk\\n"}, Code("0" * 40, None))


def make():
    with Catalog(home) as catalog:
        model, report = catalog.latest(Model, "risk"), catalog.latest(Report, "risk")
        return release(project, model, report, load_signer(keys, actors["mia"]), catalog, actors)


def agree(made):
    with Catalog(home) as catalog:
        return approve(made, load_signer(keys, actors["ada"]), "", catalog, actors)


def killed_at(moment, act):
    # True when the process was killed before its file operation number `moment`; False when it ended before.
    left = moment

    def hook(event, arguments):
        nonlocal left
        if str(home) not in str(arguments) or "catalog.db" in str(arguments):
            return
        if event in ("os.rename", "os.link", "os.mkdir", "os.remove") or (event == "open" and arguments[2] & 3):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        sys.addaudithook(hook)
        act()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def check(made, approved):
    assert made.digest == digest, made
    found = verify_release(folder / "risk" / made.ref.version, actors, need_approval=approved)
    assert (found.approval is not None) == approved


folder = home / ".drivetrain" / "releases"
kills = [0, 0, 0]
while killed_at(kills[0] + 1, make):  # where there was none
    check(make(), approved=False)
    shutil.rmtree(folder)
    kills[0] += 1
made = make()
while killed_at(kills[1] + 1, lambda: agree(made)):  # approval: the release itself stands at every moment
    check(make(), approved=False)
    agree(made)
    check(make(), approved=True)
    (folder / "risk" / made.ref.version / "approval.dsse.json").unlink()
    kills[1] += 1
graph = folder / "risk" / made.ref.version / "model" / "model.onnx"
graph.write_bytes(b"broken")
while killed_at(kills[2] + 1, make):  # where there was a broken one
    check(make(), approved=False)
    graph.write_bytes(b"broken")
    kills[2] += 1
print(*kills)
"""


def test_a_kill_at_any_moment_leaves_the_same_release_to_the_next_run(world: World, keys: Path):
    made = world.release()
    folder = world.folder(made).parent.parent
    folder.rename(folder.with_name("was"))
    command = [sys.executable, "-c", SCRIPT, str(world.catalog.home), str(keys), made.digest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fresh, approval, broken = (int(count) for count in done.stdout.split())
    assert broken >= fresh > 20, "each file is opened and renamed, and so is the folder"
    assert approval >= 2
