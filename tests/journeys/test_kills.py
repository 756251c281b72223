"""Killed at any moment and started again, a run ends in the same release, with no row lost or doubled."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests.conftest import with_identities, write_small_project

import drivetrain
from drivetrain.core.artifacts import Dataset
from drivetrain.store.tables import Table

KILLS = int(os.environ.get("DRIVETRAIN_KILLS", "3"))
"""`DRIVETRAIN_KILLS=50 make test` is the long form."""


def start_run(folder):
    command = [sys.executable, "-m", "drivetrain", "run", "--json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_after(process, seconds):
    """Whether the process was still running after that long, and so was killed."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def result_of(folder):
    project = drivetrain.open(folder)
    dataset = project.catalog.latest(Dataset, "loans")
    ids = Table(project.catalog.table_path("datasets", "loans")).read(dataset.version).column("id").to_pylist()
    bad = Table(project.catalog.table_path("quarantine", "loans")).read().num_rows
    digest = project.release().digest
    project.catalog.close()
    return digest, sorted(ids), bad


@pytest.mark.slow
def test_killed_runs_end_in_the_same_release(tmp_path):
    template = write_small_project(tmp_path / "template")
    with_identities(template).catalog.close()
    whole = tmp_path / "whole"
    shutil.copytree(template, whole)
    began = time.monotonic()
    assert not kill_after(start_run(whole), 240)
    duration = time.monotonic() - began
    expected = result_of(whole)
    assert expected[1:] == (list(range(1497)), 3)

    moments, kills, copies = random.Random(7), 0, itertools.count()
    folder = shutil.copytree(template, tmp_path / f"killed-{next(copies)}")
    while kills < KILLS:
        if kill_after(start_run(folder), moments.uniform(0.1, duration)):
            kills += 1
        else:
            assert result_of(folder) == expected
            folder = shutil.copytree(template, tmp_path / f"killed-{next(copies)}")
    assert not kill_after(start_run(folder), 240)
    assert result_of(folder) == expected
