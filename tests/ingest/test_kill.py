"""SIGKILL at random moments of real processes; then one run to the end: no row is lost and none is doubled."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import sys
from pathlib import Path
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.ingest import ingest, replay
from drivetrain.store.catalog import Catalog

home, low = Path(sys.argv[1]), int(sys.argv[2])
columns = {"id": {"type": "integer", "unique": True}, "age": {"type": "integer", "min": low}}
contract = {"columns": columns, "max_bad_share": 1}
spec = FilesSource.model_validate({"kind": "files", "path": "in", "contract": contract})
print("ready", flush=True)
with Catalog(home) as catalog:
    for line in sys.stdin:
        stage = replay if line.strip() == "replay" else ingest
        found = stage(spec, "people", catalog)
        print(found.rows, found.quarantined, flush=True)
"""
ROWS = 10_000


def start(home, low, steps):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(home), str(low)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n".join(steps) + "\n")
    process.stdin.close()
    return process


def run_to_the_end(home, low, steps):
    process = start(home, low, steps)
    lines = process.stdout.read().splitlines()
    assert process.wait() == 0
    process.stdout.close()
    return [tuple(map(int, line.split())) for line in lines]


def kill_within(home, low, steps, seconds):
    process = start(home, low, steps)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    process.stdout.close()


@pytest.mark.parametrize("kills", [pytest.param(2), pytest.param(25, marks=pytest.mark.slow)])
def test_kills_at_random_moments(project, kills):
    chance = random.Random(kills)
    for file in range(4):
        rows = range(file * ROWS, (file + 1) * ROWS)
        project.write(f"in/{file}.csv", "id,age\n" + "".join(f"{n},{n % 100}\n" for n in rows))
    started = time.perf_counter()
    whole = project.home / "whole"
    (whole / "in").mkdir(parents=True)
    for file in (project.home / "in").iterdir():
        (whole / "in" / file.name).hardlink_to(file)
    expected = run_to_the_end(whole, 10, ["ingest"])
    longest = time.perf_counter() - started

    for _ in range(kills):
        kill_within(project.home, 10, ["ingest"], chance.uniform(0, longest))
    assert run_to_the_end(project.home, 10, ["ingest"]) == expected == [(36_000, 4_000)]
    for _ in range(kills):
        kill_within(project.home, 5, ["replay"], chance.uniform(0, longest))
    assert run_to_the_end(project.home, 5, ["replay"]) == [(38_000, 2_000)]

    assert project.column("id") == [n for n in range(4 * ROWS) if n % 100 >= 5]
    waiting = sorted((row["portion"], row["row"]) for row in project.quarantined())
    assert waiting == [(f"in/{file}.csv", n + 1) for file in range(4) for n in range(ROWS) if n % 100 < 5]


def test_two_processes_at_once_do_not_double(project):
    project.write("in/a.csv", "id,age\n" + "".join(f"{n},50\n" for n in range(ROWS)))
    both = [start(project.home, 10, ["ingest"]) for _ in range(2)]
    for process in both:
        process.wait()
        process.stdout.close()
    assert run_to_the_end(project.home, 10, ["ingest"]) == [(ROWS, 0)]
    assert project.column("id") == list(range(ROWS))
