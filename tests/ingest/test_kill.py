"""SIGKILL at random moments of real processes; then one run to the end: no row is lost and none is doubled."""

import os
import random
import signal
import time
from contextlib import closing, suppress
from threading import Event

import pytest
from tests.ingest.killed_loads import Loads

from drivetrain.core.sources.files import FilesSource

ROWS = 10_000


def loads(home, low):
    columns = {"id": {"type": "integer", "unique": True}, "age": {"type": "integer", "min": low}}
    contract = {"columns": columns, "max_bad_share": 1}
    return closing(
        Loads(home, FilesSource.model_validate({"kind": "files", "path": "in", "contract": contract}), "people")
    )


def kill_within(loads, step, seconds):
    child = loads.start(step)
    Event().wait(seconds)
    with suppress(ProcessLookupError):  # it was quicker
        os.kill(child, signal.SIGKILL)
    loads.finish()


@pytest.mark.parametrize("kills", [pytest.param(2), pytest.param(25, marks=pytest.mark.slow)])
def test_kills_at_random_moments(project, kills):
    chance = random.Random(kills)
    for file in range(4):
        rows = range(file * ROWS, (file + 1) * ROWS)
        project.write(f"in/{file}.csv", "id,age\n" + "".join(f"{n},{n % 100}\n" for n in rows))
    whole = project.home / "whole"
    (whole / "in").mkdir(parents=True)
    for file in (project.home / "in").iterdir():
        (whole / "in" / file.name).hardlink_to(file)
    with loads(whole, 10) as undisturbed:
        started = time.perf_counter()
        assert undisturbed.run() == 36_000
        longest = time.perf_counter() - started

    for low, step, rows in ((10, "", 36_000), (5, "replay", 38_000)):
        with loads(project.home, low) as disturbed:
            for _ in range(kills):
                kill_within(disturbed, step, chance.uniform(0, longest))
            assert disturbed.run(step) == rows

    assert project.column("id") == [n for n in range(4 * ROWS) if n % 100 >= 5]
    waiting = sorted((row["portion"], row["row"]) for row in project.quarantined())
    assert waiting == [(f"in/{file}.csv", n + 1) for file in range(4) for n in range(ROWS) if n % 100 < 5]


def test_two_processes_at_once_do_not_double(project):
    project.write("in/a.csv", "id,age\n" + "".join(f"{n},50\n" for n in range(ROWS)))
    with loads(project.home, 10) as one, loads(project.home, 10) as other:
        for each in (one, other):
            each.start()
        for each in (one, other):
            each.finish()
        assert one.run() == ROWS
    assert project.column("id") == list(range(ROWS))
