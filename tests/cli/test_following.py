"""``ingest --follow`` as a process: what it prints, and how signals end it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from drivetrain.cli.main import cli
from drivetrain.store.locks import held

SECONDS = 40


@contextmanager
def followed(home, *options):
    command = [sys.executable, "-m", "drivetrain", "ingest", "loans", "--follow", "--every", "0.1", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    both = subprocess.STDOUT
    with subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=both, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_load(project, number):
    with followed(project.home) as process:
        said = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        said.append(process.stdout.read())
    assert said[0] == "following loans; Ctrl+C ends it after the load under way\n"
    assert said[1].startswith("✓ loans: 1,500 rows, ")
    assert said[1].endswith(" a second (dataset/loans@0)\n")
    assert said[2] == "", "loads that bring nothing are not told"


def test_a_machine_hears_of_every_load_on_a_line(project):
    with followed(project.home, "--json") as process:
        first, second = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert {**first, "seconds": 0} == {
        "rows": 1500, "seconds": 0, "waiting": None, "dataset": "dataset/loans@0", "error": None, "alarms": [],
    }  # fmt: skip
    assert (second["rows"], second["dataset"]) == (0, "dataset/loans@0")


def test_a_passing_error_is_told_with_when_it_is_tried_again(project):
    with held(project.catalog.state / "lock", "it"), followed(project.home) as process:
        process.stdout.readline()
        said = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert said.startswith("! loans: ")
    assert said.endswith("; again in 1 s\n")


@pytest.mark.parametrize("wrong", [[], ["loans", "--replay"], ["loans", "--force"]])
def test_what_does_not_go_together_is_a_mistake_of_usage(wrong):
    done = CliRunner().invoke(cli, ["ingest", *wrong, "--follow"])
    assert done.exit_code == 2
    assert "--follow needs a SOURCE" in done.output
